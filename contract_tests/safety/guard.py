"""The money guard: decides, before anything is sent, whether a request may leave, and counts it."""

import threading
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from contract_tests.rules.exit_status import ExitStatus
from contract_tests.safety.intent import IMPOSSIBLE_PREFIX, Action, Intent

_SMUGGLED: Final = frozenset(
    {
        "host", "content-length", "transfer-encoding", "upgrade", "expect", "trailer", "x-original-url",
        "x-rewrite-url",
    }
)  # fmt: skip
"""Headers that could make one request look like another, or reach another host or path."""


class Refused(Exception):
    """The request was not sent. `reason` is a phrase for the report; a budget's starts with 'budget'."""

    def __init__(self, reason: str) -> None:
        """Keeps the reason."""
        super().__init__(reason)
        self.reason = reason


class Stop(BaseException):
    """The run must end; nothing more is sent. `status` is the exit status that follows.

    Not an Exception, because neither Hypothesis nor a test's `except` may carry on after it.
    """

    def __init__(self, reason: str, status: ExitStatus = ExitStatus.FAILED) -> None:
        """Keeps the reason."""
        super().__init__(reason)
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a run may send. None: no limit."""

    requests: int | None = None
    payments: int | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user allowed. `nominated` are the load numbers that payments may go to."""

    is_mock: bool
    consent: bool
    nominated: Collection[str] = ()
    run_id: str = ""
    budget: Budget = field(default_factory=Budget)


@dataclass(frozen=True, slots=True)
class Permit:
    """The guard's leave to send one request.

    `may_record`: the target could record something for it, whatever the contract says. `is_payment`: it
    should, or it was sent before; then it `is_replay` too, and was not counted again.
    """

    intent: Intent
    may_record: bool = False
    is_payment: bool = False
    is_replay: bool = False
    must_be_refused: bool = False

    @property
    def is_read(self) -> bool:
        """Whether the request is a read."""
        return self.intent.action is Action.READ


class Guard:
    """Judges requests by what they are. Safe to call from threads."""

    def __init__(self, policy: Policy) -> None:
        """Starts with nothing sent; on a target with real money, payments wait for `open_payments`."""
        self._policy = policy
        self._lock = threading.Lock()
        self._open = policy.is_mock
        self._counted: dict[tuple[frozenset[str], str | None], Decimal] = {}
        self._unplanned = False
        self._stopped: Stop | None = None
        self.requests = 0
        self.payments = 0
        self.amount = Decimal(0)
        self.refusals = 0
        self.last_refusal = ""

    @property
    def stopped(self) -> Stop | None:
        """Why the run must end, if it must."""
        return self._stopped

    @property
    def is_mock(self) -> bool:
        """Whether the target is the mock that the run started, where money is only numbers."""
        return self._policy.is_mock

    @property
    def budget(self) -> Budget:
        """The most that may be sent."""
        return self._policy.budget

    def open_payments(self) -> None:
        """Says that every nominated load was read and is as nominated."""
        with self._lock:
            self._open = True

    def resume(self, load: str, reference: str | None, amount: Decimal) -> None:
        """Counts a payment of an earlier run of this id: sent again, it is a replay."""
        with self._lock:
            self._count(amount)
            if reference is not None:
                self._counted[frozenset({load}), reference] = amount

    def admit(self, intent: Intent, headers: Mapping[str, str], *, must_be_refused: bool = False) -> Permit:
        """Counts a request that may be sent.

        Raises Refused when it may not, and Stop once the run was stopped.
        """
        with self._lock:
            try:
                return self._admit(intent, headers, must_be_refused=must_be_refused)
            except Refused as refused:
                self.refusals += 1
                self.last_refusal = refused.reason
                raise

    def _admit(self, intent: Intent, headers: Mapping[str, str], *, must_be_refused: bool) -> Permit:
        self._check_stopped()
        _check_headers(headers)
        permit = self._permit(intent, must_be_refused=must_be_refused)
        if self._unplanned and permit.may_record and not permit.is_payment:
            self._check_budget(intent.amount)
        resolution = 1 if permit.may_record and not self._policy.is_mock else 0
        self._check_requests(1 + resolution)
        if permit.is_payment:
            permit = replace(permit, is_replay=self._is_replay(intent))
        if permit.is_payment and not permit.is_replay:
            self._reserve(intent)
        self.requests += 1
        return permit

    def admit_again(self, permit: Permit) -> None:
        """Counts another transmission of an admitted request.

        A write that may have been recorded is let through whatever the budget: it must be resolved.
        Raises Refused when the budget of requests is used up, and Stop once the run was stopped.
        """
        with self._lock:
            self._check_stopped()
            if not permit.may_record:
                self._check_requests(1)
            self.requests += 1

    def stop(self, reason: str, status: ExitStatus = ExitStatus.FAILED) -> Stop:
        """Lets nothing more through; returns what to raise. The first reason counts."""
        with self._lock:
            if self._stopped is None:
                self._stopped = Stop(reason, status)
            return self._stopped

    def confirm(self, permit: Permit) -> None:
        """Says that the target recorded the payment: whatever is sent again for it adds nothing."""
        key = _key(permit.intent)
        with self._lock:
            if key in self._counted:
                self._counted[key] = _ENDLESS

    def count_unplanned(self, amount: Decimal) -> None:
        """Counts a payment that the target recorded beyond those reserved, or may have.

        From then on what must be refused leaves only while the budget has room for it.
        """
        with self._lock:
            self._unplanned = True
            self._count(amount)

    def _check_stopped(self) -> None:
        if self._stopped is not None:
            raise Stop(self._stopped.reason, self._stopped.status)

    def _check_requests(self, needed: int) -> None:
        limit = self._policy.budget.requests
        if limit is not None and self.requests + needed > limit:
            raise Refused(f"budget: {limit} requests are used up")

    def _permit(self, intent: Intent, *, must_be_refused: bool) -> Permit:
        if intent.action is Action.READ:
            return Permit(intent, must_be_refused=must_be_refused)
        if self._policy.is_mock:
            payment = intent.action is Action.PAYMENT and bool(intent.possible_loads) and not must_be_refused
            return Permit(intent, may_record=True, is_payment=payment, must_be_refused=must_be_refused)
        if intent.cannot_record:
            return Permit(intent, must_be_refused=must_be_refused)
        self._check_payment(intent, must_be_refused=must_be_refused)
        return Permit(
            intent, may_record=True, is_payment=not must_be_refused, must_be_refused=must_be_refused
        )

    def _check_payment(self, intent: Intent, *, must_be_refused: bool) -> None:
        """Raises Refused unless the payment is one that the user consented to."""
        if intent.action is not Action.PAYMENT or intent.method != "POST":
            raise Refused("a write that is not a customer payment may change something")
        if not self._policy.consent:
            raise Refused("no consent to record payments (--record-payments)")
        if intent.opaque:
            raise Refused("the form or the coding of the body hides which load it names")
        strangers = sorted(
            number
            for number in intent.possible_loads - set(self._policy.nominated)
            if not (must_be_refused and self._lengthens_a_nominated(number))
        )
        if strangers:
            raise Refused(f"load {strangers[0]!r} is not nominated in the loads file")
        if not self._open:
            raise Refused("the nominated loads were not read yet")
        if not must_be_refused and not _is_ours(intent.reference, self._policy.run_id):
            raise Refused(f"the reference does not start with ct-{self._policy.run_id}-")
        limit = self._policy.budget.amount
        if limit is not None and intent.amount > limit:
            raise Refused(f"budget: one payment alone exceeds {limit}")

    def _lengthens_a_nominated(self, number: str) -> bool:
        """Whether a target that cuts the number to one that exists can only mean a nominated load."""
        return any(number.startswith(f"{known}-{IMPOSSIBLE_PREFIX}") for known in self._policy.nominated)

    def _is_replay(self, intent: Intent) -> bool:
        """Whether it was counted; with a larger amount only if the target has recorded the first."""
        counted = self._counted.get(_key(intent))
        return counted is not None and intent.amount <= counted

    def _reserve(self, intent: Intent) -> None:
        self._check_budget(intent.amount)
        if intent.reference is not None:
            self._counted[_key(intent)] = intent.amount
        self._count(intent.amount)

    def _check_budget(self, amount: Decimal) -> None:
        budget = self._policy.budget
        if budget.payments is not None and self.payments + 1 > budget.payments:
            raise Refused(f"budget: {budget.payments} payments are used up")
        if budget.amount is not None and amount > budget.amount - self.amount:
            raise Refused(f"budget: the payment would exceed {budget.amount} in all")

    def _count(self, amount: Decimal) -> None:
        """Counts a payment; a negative amount is 0, and so is an endless one that no budget asks for."""
        self.payments += 1
        bookable = amount.is_finite() and amount.adjusted() < _BOOKABLE_DIGITS
        if amount > 0 and (bookable or self._policy.budget.amount is not None):
            self.amount += amount


_BOOKABLE_DIGITS: Final = 20
_ENDLESS: Final = Decimal("Infinity")


def _key(intent: Intent) -> tuple[frozenset[str], str | None]:
    return intent.possible_loads, intent.reference


def _check_headers(headers: Mapping[str, str]) -> None:
    for name in headers:
        if name.lower() in _SMUGGLED or name.lower().startswith("proxy-"):
            raise Refused(f"the header {name} is the client's own to set")


def _is_ours(reference: str | None, run_id: str) -> bool:
    if reference is None:
        return False
    return unicodedata.normalize("NFKC", reference).strip().casefold().startswith(f"ct-{run_id.casefold()}-")
