"""One run: its options, target, preflight and pytest's hooks; may import rules, safety and report."""
