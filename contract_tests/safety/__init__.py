"""The only way out to the target, and what keeps money and secrets safe on it; may import rules."""
