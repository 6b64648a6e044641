"""What the exit status of a run means."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """The exit status of `alvys-contract`, and of a pytest session that runs its suites."""

    PASSED = 0
    """Every clause that was tested passed."""
    FAILED = 1
    """A clause failed, or the run was stopped because something was accepted that must be refused."""
    USAGE = 2
    """Wrong usage, or a safety gate that is not met; nothing was tested."""
    COULD_NOT_TEST = 3
    """The target could not be tested."""
