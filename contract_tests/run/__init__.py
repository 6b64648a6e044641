"""Options, target, preflight and pytest's hooks: may import the rules, the safety room and the report."""
