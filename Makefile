# serve · test · attack · soak · check · contract · evaluate · bench. Needs Python 3.11 or newer, and make.

PYTHON ?= python3
ARGS ?=
REQUESTS ?= 300000

.DEFAULT_GOAL := help
.PHONY: help serve test attack soak check format contract evaluate bench

help:
	@echo "make serve     the sandbox on http://127.0.0.1:8080 (ARGS='--port 9000' and so on)"
	@echo "make test      all tests, with coverage of the mock"
	@echo "make attack    the contract suite against services that book what they must refuse, the mock against hostile"
	@echo "               clients"
	@echo "make soak      300,000 requests of hostile clients (REQUESTS=1000000 and so on)"
	@echo "make check     formatter, linter and type checker"
	@echo "make contract  the contract suite against the mock (ARGS='--target https://...')"
	@echo "make evaluate  the suites against the reference implementation, every seeded defect and generic mutants"
	@echo "               of the mock; for the night (ARGS='defects --suite smoke' and so on)"
	@echo "make bench     the figures of the README"

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv .venv

# Each stamp is as new as what it was installed from: nothing is installed twice.
.venv/serve.stamp: .venv/bin/python pyproject.toml constraints.txt
	.venv/bin/python -m pip install -q -c constraints.txt -e .
	@touch $@

.venv/dev.stamp: .venv/bin/python pyproject.toml constraints.txt
	.venv/bin/python -m pip install -q -c constraints.txt -e '.[dev]'
	@touch $@ .venv/serve.stamp

serve: .venv/serve.stamp
	@exec .venv/bin/alvys-mock $(ARGS)

# The first half is what covers the mock; to measure the second too would only make it slower.
test: .venv/dev.stamp
	.venv/bin/coverage erase
	.venv/bin/coverage run -m pytest tests/mock tests/console -n 2 --dist loadfile $(ARGS)
	.venv/bin/coverage combine -q
	.venv/bin/coverage report
	.venv/bin/python -m pytest tests --ignore tests/attack --ignore tests/mock --ignore tests/console -n 2 --dist loadfile $(ARGS)

attack: .venv/dev.stamp
	.venv/bin/python -m pytest tests/attack $(ARGS)

soak: .venv/dev.stamp
	.venv/bin/python -m tests.attack.test_hostile_clients $(REQUESTS)

check: .venv/dev.stamp
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy

format: .venv/dev.stamp
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

contract: .venv/dev.stamp
	@.venv/bin/alvys-contract $(ARGS)

evaluate: .venv/dev.stamp
	.venv/bin/python -m pytest -q evaluation
	.venv/bin/python -m evaluation $(ARGS)

bench: .venv/dev.stamp
	.venv/bin/python -m benchmarks $(ARGS)
