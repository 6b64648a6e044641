"""The tests and their cases: what is sent, in which order; may import rules, safety, oracle and run."""
