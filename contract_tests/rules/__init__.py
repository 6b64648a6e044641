"""What the contract says, and what a request and a response mean by it; may import no other room."""
