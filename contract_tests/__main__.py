"""`alvys-contract`, and `python -m contract_tests`: the suite, or what to type where it is not installed."""

import sys


def main() -> None:
    """Runs the suite; without the packages that it needs, says in one line how to install them."""
    try:
        from contract_tests.run.cli import main as command  # noqa: PLC0415 - may fail, which is said below
    except ModuleNotFoundError as missing:
        sys.stderr.write(
            f"alvys-contract needs {missing.name}, which is not installed: "
            "pip install 'alvys-sandbox[contract]'\n"
        )
        sys.exit(2)  # ExitStatus.USAGE
    command(prog_name="alvys-contract")


if __name__ == "__main__":
    main()
