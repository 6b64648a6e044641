"""The payment log: a line before and after every write, so that each payment can be reversed by hand."""

import json
import os
import threading
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, TextIO

import portalocker

from contract_tests.safety.sight import SeenPayment

SENDING: Final = "sending"
RECORDED: Final = "recorded"
REFUSED: Final = "refused"
UNKNOWN: Final = "unknown"

LOAD_SEPARATOR: Final = ", "
"""Between the loads of a payment that names several."""

_BEGINNING: Final = b'{"time": "'
"""Of every line."""
_MOST_DIGITS: Final = 40
_LONGEST_RESPONSE: Final = 4000
"""Bytes."""


class LogUnusableError(Exception):
    """The payment log cannot be kept, or not any more; the message is a sentence without its full stop."""


@dataclass(frozen=True, slots=True)
class LoggedPayment:
    """One payment, or the attempt at one.

    `outcome` is sending (no response yet), recorded, refused (the target said no) or unknown (it may have
    been recorded). `status` is that of the response, `id` the target's own. `attempt` numbers the
    transmissions of a run: each is possible money. `planned` is False for what must be refused; `response`
    is the text that showed a payment which nobody planned.
    """

    time: str
    load: str
    reference: str | None
    amount: str
    currency: int | None
    outcome: str
    status: int | None = None
    id: str | None = None
    attempt: int = 0
    planned: bool = True
    response: str | None = None

    @property
    def money(self) -> Decimal:
        """The amount as a number."""
        return Decimal(self.amount)

    @property
    def is_bookable(self) -> bool:
        """Whether the amount is one that a sum can hold."""
        return self.money.is_finite() and abs(self.money.adjusted()) < _MOST_DIGITS


@dataclass(frozen=True, slots=True)
class LoggedFailure:
    """A clause that the target broke, by its id, and how: a run that is resumed has failed it too."""

    time: str
    failed: str
    got: str


class PaymentLog:
    """Keeps the payments of a run, in memory and in a JSON Lines file if one is named.

    The file is made with the first line, and locked while the run lives: another run of the same id
    cannot write to it. Safe to call from threads. LogUnusableError.
    """

    def __init__(self, path: Path | None = None, *, resumed: bool = True) -> None:
        """Reads the file if there is one. Payments that it already holds count only for a resumed run."""
        self.path = path
        self._lock = threading.Lock()
        self._recorded: dict[tuple[str, str | None], LoggedPayment] = {}
        self._open: dict[tuple[bool, int], LoggedPayment] = {}
        self._file: TextIO | None = None
        self._refused: list[LoggedPayment] = []
        self._attempts_before = 0
        self.failures: list[LoggedFailure] = []
        """What the run that is resumed found wrong."""
        self.shows_replays = False
        """Whether the run that is resumed has seen that the target recognises references."""
        if path is not None and (path.exists() or path.is_symlink()):
            self._file = _opened(path)
            try:
                self._read_back(self._file, path, resumed=resumed)
            except LogUnusableError:
                self.close()
                raise

    def _read_back(self, file: TextIO, path: Path, *, resumed: bool) -> None:
        *lines, last = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, 1):
            if line.strip():
                self._take_up(_payment(line, path, number), resumed=resumed)
        if not last:
            return
        try:
            self._take_up(_payment(last, path, len(lines) + 1), resumed=resumed)
        except LogUnusableError:
            if not last.startswith(_BEGINNING[: len(last)]):
                raise
            # Torn off when the run was killed. Its payment never left, or has an earlier line.
            file.truncate(path.stat().st_size - len(last))
        else:
            file.write("\n")

    def _take_up(self, payment: LoggedPayment | LoggedFailure, *, resumed: bool) -> None:
        if isinstance(payment, LoggedFailure):
            self.failures += [payment] if resumed else []
            return
        self._attempts_before = max(self._attempts_before, payment.attempt)
        if resumed:
            known = self._recorded.get((payment.load, payment.id)) if payment.id else None
            if known is not None and known.attempt != payment.attempt and payment.outcome == RECORDED:
                self.shows_replays = True
            self._keep(payment)
            if payment.outcome == REFUSED:
                self._refused.append(payment)

    @property
    def attempts(self) -> int:
        """The number of the last attempt that the file holds, of whatever run; 0 without one."""
        return self._attempts_before

    def write(self, payment: LoggedPayment) -> None:
        """Appends a line and returns when it is on the disk."""
        with self._lock:
            self._keep(payment)
            self._append(payment)

    def write_failure(self, clause: str, got: str) -> None:
        """Appends what the target did wrong; not to a log that no payment has made yet."""
        with self._lock:
            if self._file is not None:
                self._append(LoggedFailure(now(), clause, got[:_LONGEST_RESPONSE]))

    def _append(self, line: LoggedPayment | LoggedFailure) -> None:
        if self.path is None:
            return
        if self._file is None:
            self._file = _opened(self.path)
        try:
            self._check_in_place(self._file, self.path)
            self._file.write(json.dumps(asdict(line), ensure_ascii=True) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise LogUnusableError(
                f"the payment log {self.path} cannot be written: {error.strerror}"
            ) from error

    @staticmethod
    def _check_in_place(file: TextIO, path: Path) -> None:
        ours = os.fstat(file.fileno())
        try:
            there = path.stat()
        except FileNotFoundError:
            there = None
        if there is None or (there.st_ino, there.st_dev) != (ours.st_ino, ours.st_dev):
            raise LogUnusableError(
                f"the payment log {path} was removed or replaced while the run was using it"
            )

    def _keep(self, payment: LoggedPayment) -> None:
        if payment.outcome in {SENDING, UNKNOWN}:
            self._open[payment.attempt == 0, payment.attempt or len(self._open)] = payment
            return
        self._open.pop((False, payment.attempt), None)
        if payment.outcome == RECORDED:
            # A payment that is shown again is not another one.
            key = payment.load, payment.id or f"attempt {payment.attempt}"
            self._recorded.setdefault(key, payment)

    @property
    def payments(self) -> list[LoggedPayment]:
        """The payments that were recorded, then those that may have been."""
        with self._lock:
            return [*self._recorded.values(), *self._open.values()]

    @property
    def earlier(self) -> list[LoggedPayment]:
        """What the run that is resumed had sent: its payments, and what was refused, which may be booked."""
        return [*self.payments, *self._refused]

    def close(self) -> None:
        """Closes the file, which unlocks it."""
        if self._file is not None:
            self._file.close()


def _opened(path: Path) -> TextIO:
    """The file, locked for this process alone."""
    if path.exists() and not path.is_file():
        raise LogUnusableError(f"the payment log {path} is not a regular file")
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise LogUnusableError(f"the payment log {path} cannot be opened: {error.strerror}") from error
    try:
        portalocker.lock(file, portalocker.LOCK_EX | portalocker.LOCK_NB)
    except portalocker.LockException:
        file.close()
        raise LogUnusableError(f"another run is writing the payment log {path}") from None
    return file


def _payment(line: bytes, path: Path, number: int) -> LoggedPayment | LoggedFailure:
    try:
        fields = json.loads(line)
        if "failed" in fields:
            return LoggedFailure(**fields)
        payment = LoggedPayment(**fields)
        Decimal(payment.amount)
    except (ValueError, TypeError, InvalidOperation):
        raise LogUnusableError(f"{path}, line {number}, is not a line of a payment log") from None
    return payment


def now() -> str:
    """The present as an RFC 3339 instant in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def settled(
    logged: LoggedPayment,
    outcome: str,
    status: int | None,
    payment: SeenPayment | None = None,
    content: bytes | None = None,
) -> LoggedPayment:
    """The payment, with what became of it; what the request did not say comes from the response."""
    seen = payment or SeenPayment(None, None, None)
    return replace(
        logged,
        time=now(),
        outcome=outcome,
        status=status,
        id=seen.id,
        reference=logged.reference or seen.reference,
        amount=logged.amount if seen.amount is None else str(seen.amount),
        response=None if content is None else content[:_LONGEST_RESPONSE].decode("utf-8", "backslashreplace"),
    )
