"""White-box tests: is the mock well made, and does the suite catch defects."""
