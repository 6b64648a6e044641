"""`alvys-contract`, and `python -m contract_tests`: the suite, or what to type where it is not installed."""

import sys

from contract_tests.rules.exit_status import ExitStatus


def main() -> None:
    """Runs the suite; without the packages that it needs, says in one line how to install them."""
    try:
        from contract_tests.run.cli import main as command  # noqa: PLC0415 - it may fail
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing in {"contract_tests", "mock_server"}:
            raise
        sys.stderr.write(
            f"alvys-contract needs {missing}, which is not installed: pip install 'alvys-sandbox[contract]'\n"
        )
        sys.exit(ExitStatus.USAGE)
    command(prog_name="alvys-contract")


if __name__ == "__main__":
    main()
