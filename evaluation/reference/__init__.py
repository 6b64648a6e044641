"""The reference implementation: correct, of its own making, and free where the contract is open."""
