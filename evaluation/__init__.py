"""Who tests the tests: the suites run against services that are known to be right or wrong."""
