"""The record of payments: a line before and after every write, so that each can be reversed by hand."""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, TextIO

SENDING: Final = "sending"
RECORDED: Final = "recorded"
REFUSED: Final = "refused"
UNKNOWN: Final = "unknown"

_MOST_DIGITS: Final = 40


@dataclass(frozen=True, slots=True)
class LoggedPayment:
    """One payment, or the attempt at one.

    `outcome` is sending (no response yet), recorded, refused (the target said no) or unknown (it may have
    been recorded: no response came, twice). `status` is that of the response, `id` the target's own.
    """

    time: str
    load: str
    reference: str | None
    amount: str
    currency: int | None
    outcome: str
    status: int | None = None
    id: str | None = None

    @property
    def key(self) -> tuple[str, str | None]:
        """Load and reference: what makes a payment this payment."""
        return self.load, self.reference

    @property
    def money(self) -> Decimal:
        """The amount as a number."""
        return Decimal(self.amount)

    @property
    def is_bookable(self) -> bool:
        """Whether the amount is one that a sum can hold."""
        return self.money.is_finite() and abs(self.money.adjusted()) < _MOST_DIGITS


class PaymentLog:
    """Keeps the payments of a run, in memory and in a JSON Lines file if one is named.

    Safe to call from threads. Raises OSError when the file cannot be written, and ValueError when a
    line of an earlier run in it cannot be read.
    """

    def __init__(self, path: Path | None = None, *, resumed: bool = True) -> None:
        """Opens the file for appending. Payments that it already holds count only for a resumed run."""
        self.path = path
        self._lock = threading.Lock()
        self._recorded: dict[tuple[str, str | None, str | None], LoggedPayment] = {}
        self._open: dict[tuple[str, str | None], LoggedPayment] = {}
        self._file: TextIO | None = None
        if path is not None:
            earlier = list(_read(path))
            for payment in earlier if resumed else []:
                self._keep(payment)
            self._file = path.open("a", encoding="utf-8")

    def write(self, payment: LoggedPayment) -> None:
        """Appends a line and returns when it is on the disk."""
        with self._lock:
            self._keep(payment)
            if self._file is not None:
                self._file.write(json.dumps(asdict(payment), ensure_ascii=True) + "\n")
                self._file.flush()
                os.fsync(self._file.fileno())

    def _keep(self, payment: LoggedPayment) -> None:
        if payment.outcome in {SENDING, UNKNOWN}:
            self._open[payment.key] = payment
            return
        self._open.pop(payment.key, None)
        if payment.outcome == RECORDED:
            self._recorded.setdefault((*payment.key, payment.id), payment)

    @property
    def payments(self) -> list[LoggedPayment]:
        """The payments that were recorded, then those that may have been."""
        with self._lock:
            return [*self._recorded.values(), *self._open.values()]

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()


def _read(path: Path) -> Iterator[LoggedPayment]:
    if not path.exists():
        return
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            payment = LoggedPayment(**json.loads(line))
            Decimal(payment.amount)
        except (ValueError, TypeError, InvalidOperation):
            message = f"{path}, line {number}, is not a line of a record of payments."
            raise ValueError(message) from None
        yield payment


def now() -> str:
    """The present as an RFC 3339 instant in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def settled(
    payment: LoggedPayment, outcome: str, status: int | None, identity: str | None = None
) -> LoggedPayment:
    """The payment, with what became of it."""
    return replace(payment, time=now(), outcome=outcome, status=status, id=identity)
