"""What plays other answers to the open questions than the defaults; only `policy` imports it, when needed."""
