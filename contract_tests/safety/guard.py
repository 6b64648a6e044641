"""The money guard: decides, before anything is sent, whether a request may leave, and counts it."""

import threading
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from contract_tests.rules.clauses import CLAUSES
from contract_tests.rules.exchange import Exchange
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.findings import Failure
from contract_tests.rules.values import near, visible
from contract_tests.safety.exposure import Exposure, Exposures, Fate, Found
from contract_tests.safety.intent import IMPOSSIBLE_PREFIX, Action, Intent, is_impossible
from contract_tests.safety.payment_log import LOAD_SEPARATOR, RECORDED, REFUSED, LoggedPayment
from contract_tests.safety.sight import SeenLoad, SeenPayment

LARGEST_WITHOUT_CONSENT: Final = Decimal("0.01")
_SMUGGLED: Final = frozenset(
    {
        "host", "content-length", "transfer-encoding", "upgrade", "expect", "trailer", "x-original-url",
        "x-rewrite-url",
    }
)  # fmt: skip
"""Headers that could make one request look like another, or reach another host or path."""
_RESOLUTION: Final = 2
"""Requests that are kept back for each write: a read that shows what became of it, and one more try."""


class Refused(Exception):
    """The request was not sent. `reason` is a phrase for the report; a budget's starts with 'budget'."""

    def __init__(self, reason: str) -> None:
        """Keeps the reason."""
        super().__init__(reason)
        self.reason = reason


class MustRead(Exception):
    """These loads must be read before the request may leave: what was refused on them may be booked."""

    def __init__(self, loads: Iterable[str]) -> None:
        """Keeps the load numbers."""
        self.loads = tuple(loads)
        super().__init__(", ".join(self.loads))


class Stop(BaseException):
    """The run must end; nothing more is sent. `status` is the exit status that follows.

    `clause` is the one that the target broke, if it did, and `exchanges` show how. Not an Exception,
    because neither Hypothesis nor a test's `except` may carry on after it.
    """

    def __init__(
        self,
        reason: str,
        status: ExitStatus = ExitStatus.FAILED,
        clause: str = "",
        exchanges: tuple[Exchange, ...] = (),
    ) -> None:
        """Keeps the reason."""
        super().__init__(visible(reason))
        self.reason = visible(reason)
        self.status = status
        self.clause = clause
        self.exchanges = exchanges

    @property
    def failures(self) -> list[Failure]:
        """What the target did wrong, if that is why the run ends."""
        if not self.clause:
            return []
        return [Failure(self.clause, CLAUSES[self.clause].sentence, self.reason, self.exchanges)]


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

    `exposure`: what the target could book for it, whatever the contract says; None if it can book
    nothing. `is_replay`: it was sent before, and the target has shown that it recognises references.
    """

    intent: Intent
    exposure: Exposure | None = None
    is_replay: bool = False
    must_be_refused: bool = False

    @property
    def is_read(self) -> bool:
        """Whether the request is a read."""
        return self.intent.action is Action.READ

    @property
    def is_payment(self) -> bool:
        """Whether the target should record it."""
        return self.exposure is not None and self.exposure.planned


class Guard:
    """Judges requests by what they are. Safe to call from threads.

    The mock is trusted: it takes every write, replays cost nothing there, and nothing stops the run.
    """

    def __init__(self, policy: Policy, attempts: int = 0, *, recognises_references: bool = False) -> None:
        """Starts with nothing sent; on a target with real money, payments wait for `open_payments`.

        `attempts` is how many transmissions the run has in its log already, if it is resumed.
        """
        self._policy = policy
        self._lock = threading.Lock()
        self._open = policy.is_mock
        self._exposures = Exposures()
        self._pinned: dict[str, str] = {}
        self._spellings: set[str] = set()
        self._recognises_references = policy.is_mock or recognises_references
        self._stopped: Stop | None = None
        self._attempts = attempts
        self.requests = 0
        self.refusals = 0
        self.last_refusal = ""

    @property
    def payments(self) -> int:
        """The payments that were recorded, may have been, or are under way."""
        return sum(one.fate is not Fate.REFUSED for one in list(self._exposures))

    @property
    def amount(self) -> Decimal:
        """What they are worth; endless amounts, which no sum can hold, are left out."""
        return _sum(one for one in list(self._exposures) if one.fate is not Fate.REFUSED)

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

    def resume(self, payment: LoggedPayment) -> None:
        """Counts a payment of an earlier run of this id: its reference goes to the same load first."""
        if is_impossible(payment.load) and payment.outcome != RECORDED:
            return
        with self._lock:
            loads = payment.load.split(LOAD_SEPARATOR)
            exposure = self._expose(
                frozenset(map(self._meant, loads)),
                payment.reference,
                payment.money.copy_abs(),
                planned=payment.planned,
                attempt=payment.attempt,
            )
            exposure.currency = payment.currency
            fate = {RECORDED: Fate.BOOKED, REFUSED: Fate.REFUSED}.get(payment.outcome, Fate.UNKNOWN)
            self._exposures.end(exposure, fate, id=payment.id)
            if payment.reference is not None and payment.planned and fate is not Fate.REFUSED:
                self._pinned.setdefault(payment.reference, payment.load)

    # --- before sending ---------------------------------------------------------------------------

    def admit(self, intent: Intent, headers: Mapping[str, str], *, must_be_refused: bool = False) -> Permit:
        """Counts a request that may be sent.

        Raises Refused when it may not, MustRead when loads are to be read first, and Stop once the run
        was stopped.
        """
        with self._lock:
            try:
                self._check_stopped()
                _check_headers(headers)
                permit = self._permit(intent, must_be_refused=must_be_refused)
                self.requests += 1
            except Refused as refused:
                self.refusals += 1
                self.last_refusal = refused.reason
                raise
            return permit

    def admit_read(self) -> None:
        """Counts a read that shows what became of a write; it needs no room in the budget of requests."""
        with self._lock:
            self._check_stopped()
            self.requests += 1

    def count_request(self) -> None:
        """Counts a request that is not sent to the target itself, such as one for a token. Refused, Stop."""
        with self._lock:
            self._check_stopped()
            self._check_requests(1)
            self.requests += 1

    def attempt(self) -> int:
        """The next number of a transmission in the payment log."""
        with self._lock:
            self._attempts += 1
            return self._attempts

    def check_running(self) -> None:
        """Raises Stop once the run was stopped: asked again by everyone who waited before sending."""
        with self._lock:
            self._check_stopped()

    def stop(
        self,
        reason: str,
        status: ExitStatus = ExitStatus.FAILED,
        clause: str = "",
        exchanges: tuple[Exchange, ...] = (),
    ) -> Stop:
        """Lets nothing more through; returns what to raise. The first reason counts."""
        with self._lock:
            if self._stopped is None:
                self._stopped = Stop(reason, status, clause, exchanges)
            return self._stopped

    # --- after sending ----------------------------------------------------------------------------

    def now(self) -> int:
        """The moment at which a read begins, for `see`."""
        with self._lock:
            return self._exposures.now()

    def see_spelling(self, asked: str, shown: str) -> None:
        """Says that a read of the number `asked` showed the load `shown`.

        A target that compares numbers without case has one load of both spellings, and may be asked to
        recognise a reference under each.
        """
        with self._lock:
            if shown in self._policy.nominated and near(asked) == near(shown):
                self._spellings.add(asked)

    def spelt_out(self, number: str) -> str:
        """The nominated load that the number is another spelling of; else the number."""
        if number in self._policy.nominated:
            return number
        return next((one for one in self._policy.nominated if near(one) == near(number)), number)

    def see(self, load: SeenLoad, began: int | None) -> list[Found]:
        """Compares a read of a load with what is known; counts and returns the payments it shows first.

        Of a load that nothing was sent to, only payments with a reference of this run.
        """
        with self._lock:
            found = self._exposures.see(load, began)
            if not self._exposures.has_touched(load.number):
                found = [one for one in found if _is_ours(one.payment.reference, self._policy.run_id)]
            return [self._booked(one) for one in found]

    def _booked(self, found: Found) -> Found:
        exposure = found.exposure
        if exposure is None:
            self._book_unplanned(found.load, found.payment)
            return found
        again = exposure.reference is not None and bool(
            self._exposures.ids_of(exposure.loads, exposure.reference)
        )
        was = exposure.fate
        self._exposures.end(exposure, Fate.BOOKED, id=found.payment.id, amount=found.payment.amount)
        return replace(found, was=was, again=again)

    def shown(self) -> tuple[str, set[str]] | None:
        """A load on which payments were booked, and their ids; None if there is none yet."""
        with self._lock:
            return self._exposures.shown()

    def to_read(self) -> list[str]:
        """The loads on which something was refused, and no read has shown yet that it left no trace."""
        with self._lock:
            return self._exposures.to_read()

    def waits_for(self, load: str) -> bool:
        """Whether a read of the load is still to show that what was refused left no trace."""
        with self._lock:
            return load in self._exposures.to_read()

    def refuse(self, exposure: Exposure) -> None:
        """Says that the target refused a write; a read is still to show that it left no trace."""
        self._end(exposure, Fate.REFUSED)

    def doubt(self, exposure: Exposure) -> None:
        """Says that nobody knows what became of a write."""
        self._end(exposure, Fate.UNKNOWN)

    def drop(self, exposure: Exposure) -> None:
        """Says that a write never left."""
        with self._lock:
            self._exposures.drop(exposure)

    def book(self, exposure: Exposure, payment: SeenPayment) -> None:
        """Says that the target booked a write, as its response shows it."""
        with self._lock:
            self._exposures.end(exposure, Fate.BOOKED, id=payment.id, amount=payment.amount)

    def book_unplanned(self, load: str, payment: SeenPayment) -> None:
        """Counts a payment that no write of this run explains."""
        with self._lock:
            self._book_unplanned(load, payment)

    def _book_unplanned(self, load: str, payment: SeenPayment) -> None:
        amount = abs(payment.amount or Decimal(0))
        exposure = self._expose(frozenset({load}), payment.reference, amount, planned=False)
        self._exposures.end(exposure, Fate.BOOKED, id=payment.id)

    def take(self, permit: Permit, shown: list[SeenPayment]) -> list[SeenPayment]:
        """Takes a success whose response shows these payments with the reference that was sent.

        Returns those beyond the one payment that the reference may have: a service that forgets.
        """
        with self._lock:
            exposure = permit.exposure
            if exposure is None:
                return []
            known = self._exposures.ids_of(exposure.loads, exposure.reference)
            load = next(iter(exposure.loads), "")
            new = [one for one in shown if one.id not in known and not self._exposures.knows(load, one.id)]
            if known or not new:
                # A payment that is known under another reference shows nothing of this one.
                self._recognises_references |= bool(known) and not new
                self._exposures.drop(exposure)
                return new
            self._exposures.end(exposure, Fate.BOOKED, id=new[0].id, amount=new[0].amount)
            return new[1:]

    def _end(self, exposure: Exposure, fate: Fate) -> None:
        with self._lock:
            if self._policy.is_mock and (fate is Fate.REFUSED or not exposure.planned):
                self._exposures.drop(exposure)
            else:
                self._exposures.end(exposure, fate)

    # --- the rules --------------------------------------------------------------------------------

    def _check_stopped(self) -> None:
        if self._stopped is not None:
            raise Stop(self._stopped.reason, self._stopped.status)

    def _check_requests(self, needed: int) -> None:
        limit = self._policy.budget.requests
        if limit is not None and self.requests + needed > limit:
            raise Refused(f"budget: {limit} requests are used up")

    def _permit(self, intent: Intent, *, must_be_refused: bool) -> Permit:
        self._check_requests(1)
        if intent.action is Action.READ:
            return Permit(intent, must_be_refused=must_be_refused)
        if self._policy.is_mock:
            pays = intent.action is Action.PAYMENT and bool(intent.possible_loads) and not must_be_refused
            return (
                self._exposed(intent, must_be_refused=False)
                if pays
                else Permit(intent, must_be_refused=must_be_refused)
            )
        if not intent.possible_loads:
            self._check_harmless(intent)
            return Permit(intent, must_be_refused=must_be_refused)
        self._check_payment(intent, must_be_refused=must_be_refused)
        self._check_requests(1 + _RESOLUTION)
        return self._exposed(intent, must_be_refused=must_be_refused)

    def _check_harmless(self, intent: Intent) -> None:
        """Raises Refused unless even a lenient service can book nothing: every load named is impossible."""
        if intent.action is not Action.PAYMENT:
            if not intent.cannot_record:
                raise Refused("a write that is not a customer payment may change something")
            return
        if intent.opaque or intent.renamed or not intent.loads:
            raise Refused("the body names no load, or hides which: a lenient service may book it on any")
        if self._policy.consent:
            return
        if intent.amount > LARGEST_WITHOUT_CONSENT:
            raise Refused(f"without consent no amount above {LARGEST_WITHOUT_CONSENT} is sent")
        strange = next((text for text in intent.documents if not _has_our_mark(text)), None)
        if strange is not None:
            raise Refused(f"without consent no number that may exist is sent, such as {strange[:40]!r}")

    def _check_payment(self, intent: Intent, *, must_be_refused: bool) -> None:
        """Raises Refused unless the payment is one that the user consented to."""
        if intent.action is not Action.PAYMENT or intent.method != "POST":
            raise Refused("a write that is not a customer payment may change something")
        if not self._policy.consent:
            raise Refused("no consent to record payments (--record-payments)")
        if intent.opaque or intent.renamed:
            raise Refused("the form or the coding of the body hides which load it names")
        strangers = sorted(
            number
            for number in intent.possible_loads - set(self._policy.nominated)
            if not (
                self._lengthened(number) if must_be_refused else self._is_spelled(number, intent.reference)
            )
        )
        if strangers:
            raise Refused(f"load {strangers[0]!r} is not nominated in the loads file")
        if not self._open:
            raise Refused("the nominated loads were not read yet")
        if not must_be_refused and not _is_ours(intent.reference, self._policy.run_id):
            raise Refused(f"the reference does not start with ct-{self._policy.run_id}-")
        pinned = self._pinned.get(intent.reference or "")
        if pinned is not None and not must_be_refused:
            if pinned not in intent.possible_loads:
                raise Refused(f"in the run that is resumed {intent.reference} went to load {pinned} first")
            del self._pinned[intent.reference or ""]
        if not intent.amount.is_finite():
            raise Refused("the amount cannot be read: a lenient service may book any")

    def _lengthened(self, number: str) -> str | None:
        """The nominated load that a target can only mean which cuts the number to one that exists."""
        known = (one for one in self._policy.nominated if number.startswith(f"{one}-{IMPOSSIBLE_PREFIX}"))
        return next(known, None)

    def _is_spelled(self, number: str, reference: str | None) -> bool:
        """Whether the number is another spelling of a load that has a payment of this reference already."""
        recorded = bool(self._exposures.ids_of(frozenset({self._meant(number)}), reference))
        return number in self._spellings and recorded and self._recognises_references

    def _meant(self, number: str) -> str:
        return self._lengthened(number) or self.spelt_out(number)

    def _exposed(self, intent: Intent, *, must_be_refused: bool) -> Permit:
        loads = frozenset(map(self._meant, intent.possible_loads))
        replayed = not must_be_refused and bool(self._exposures.ids_of(loads, intent.reference))
        is_replay = replayed and self._recognises_references
        self._check_alone(intent.amount)
        if not is_replay:
            self._check_room(intent.amount, planned=not must_be_refused)
        exposure = self._expose(loads, intent.reference, intent.amount, planned=not must_be_refused)
        exposure.currency = intent.currency
        return Permit(intent, exposure, is_replay, must_be_refused)

    def _expose(
        self,
        loads: frozenset[str],
        reference: str | None,
        amount: Decimal,
        *,
        planned: bool,
        attempt: int | None = None,
    ) -> Exposure:
        if attempt is None:
            self._attempts += 1
            attempt = self._attempts
        return self._exposures.add(Exposure(loads, reference, amount, planned, attempt))

    def _check_alone(self, amount: Decimal) -> None:
        """Raises Refused for what no budget allows, even a replay: a lenient service may book that again."""
        budget = self._policy.budget
        if budget.payments == 0 or budget.amount == 0:
            raise Refused("budget: nothing may be recorded")
        if budget.amount is not None and amount > budget.amount:
            raise Refused(f"budget: one payment alone exceeds {budget.amount}")

    def _check_room(self, amount: Decimal, *, planned: bool) -> None:
        """Raises Refused, or MustRead, unless the budget has room for one more payment.

        What must be refused may be one more than the budget: the first wrong booking cannot be
        prevented. Until a read has shown that it left no trace, nothing follows.
        """
        budget = self._policy.budget
        counted = [one for one in self._exposures if not (one.planned and self._is_known_replay(one))]
        full = budget.payments is not None and len(counted) + 1 > budget.payments
        worth = _sum(counted)
        dear = budget.amount is not None and worth + amount > budget.amount
        if not (full or dear):
            return
        unread = self._exposures.to_read()
        if unread:
            raise MustRead(unread)
        over = (budget.payments is not None and len(counted) > budget.payments) or (
            budget.amount is not None and worth > budget.amount
        )
        if planned or over:
            what = (
                f"{budget.payments} payments are used up"
                if full
                else f"the payment would exceed {budget.amount}"
            )
            raise Refused(f"budget: {what}")

    def _is_known_replay(self, exposure: Exposure) -> bool:
        """Whether it is a replay under way at a target that recognises references."""
        return (
            exposure.fate is Fate.OPEN
            and self._recognises_references
            and bool(self._exposures.ids_of(exposure.loads, exposure.reference))
        )


def _sum(exposures: Iterable[Exposure]) -> Decimal:
    return sum((one.amount for one in exposures if one.amount.is_finite()), Decimal(0))


def _check_headers(headers: Mapping[str, str]) -> None:
    for name in headers:
        if name.lower() in _SMUGGLED or name.lower().startswith("proxy-"):
            raise Refused(f"the header {name} is the client's own to set")


def _folded(text: str | None) -> str:
    return unicodedata.normalize("NFKC", text or "").strip().casefold()


def _is_ours(reference: str | None, run_id: str) -> bool:
    return _folded(reference).startswith(f"ct-{run_id.casefold()}-")


def _has_our_mark(text: str) -> bool:
    return not text.strip() or _folded(text).startswith("ct-")
