"""Lets `pytest contract_tests` find the options and the fixtures of a run."""

pytest_plugins = ["contract_tests.run.pytest_hooks"]
