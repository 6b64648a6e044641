"""The only judge: whether responses are right, knowing the loads before and after; may import rules."""
