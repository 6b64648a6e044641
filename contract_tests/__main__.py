"""`python -m contract_tests` is `alvys-contract`."""

from contract_tests.run.cli import main

main(prog_name="python -m contract_tests")
