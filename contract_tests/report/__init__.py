"""What people and programs read about a run, made of plain results; may import rules and safety."""
