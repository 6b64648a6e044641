"""Generic mutants of the rules of the mock, judged by the contract suites alone."""
