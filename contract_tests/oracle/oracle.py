"""The oracle: decides whether an answer is right, knowing the load before and after.

Written from the contract, not from the mock. It is the only judge: tests, the state machine, bursts
and Schemathesis' traffic all pass through it. A documented or published clause is asserted; what the
contract leaves open is observed. A request that is open in any respect may be paid or refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import Enum

from contract_tests.oracle.model import Model, near
from contract_tests.rules import clauses
from contract_tests.rules.attempt import Attempt, RefusalReason, attempt_of
from contract_tests.rules.clauses import NO_REFERENCE, NOT_PAYABLE, NOT_POSITIVE, PAYABLE_STATUSES
from contract_tests.rules.exchange import Exchange, Request, Response
from contract_tests.rules.findings import Failure
from contract_tests.rules.responses import (
    TEXT_MEMBERS,
    LoadView,
    PaymentAnswer,
    Row,
    UnexpectedFormError,
    document_of,
    load_of,
    media_type_of,
    payment_answer_of,
    payment_member_names,
    place_of,
    problem_of,
    texts_of,
)
from contract_tests.rules.values import EXACT, Money, NotJsonError, instant, nearly, parse_json

_PLACE_OF = {NO_REFERENCE: "A2a", NOT_POSITIVE: "A2b", NOT_PAYABLE: "A2c"}
_TEXT_OF = {NO_REFERENCE: "A24a", NOT_POSITIVE: "A24b", NOT_PAYABLE: "A24c"}
_BUSINESS_REFUSALS = (400, 409, 422)
_OVERPAID = "it is more than what is open"
_CLOCKS_DIFFER_BY = Decimal(600)
_FINEST_INSTANT = Decimal("0.001")
_COMMON_CURRENCIES = (840, 124, 484)


class Kind(Enum):
    """What a reference is to the load that it is sent to."""

    NEW = "new"
    REPEAT = "a repeat"
    CHANGED_REPEAT = "a repeat with other values"
    NEAR = "near a known one"
    ELSEWHERE = "known on another load"
    REFUSED_BEFORE = "refused before"


@dataclass(slots=True)
class Verdict:
    """What one answer shows."""

    passed: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    observations: list[tuple[str, str]] = field(default_factory=list)
    exchanges: tuple[Exchange, ...] = ()

    def require(self, clause: str, holds: object, expected: str, got: str) -> bool:
        """Counts the clause as held, or keeps a failure. Returns which."""
        if holds:
            self.passed.append(clause)
        else:
            self.failures.append(Failure(clause, expected, got, self.exchanges))
        return bool(holds)

    def observe(self, question: str, answer: str) -> None:
        """Keeps what the target does about an open question."""
        self.observations.append((question, answer))


class Oracle:
    """Judges answers. It remembers which payments it has seen, and the last traceId."""

    def __init__(self, *, resumed: bool = False) -> None:
        self.model = Model()
        self._resumed = resumed
        self._trace: str | None = None

    # --- before sending ---------------------------------------------------------------------------

    def must_be_refused(
        self, request: Request, before: LoadView | None, *, exists: bool, status: str | None = None
    ) -> bool:
        """Whether the contract says that this request records nothing."""
        attempt = attempt_of(request)
        if attempt is None:
            return False
        reasons = attempt.reasons + _load_reasons(before.status if before else status, exists=exists)
        return bool(reasons) and self._kind(attempt) not in (Kind.REPEAT, Kind.CHANGED_REPEAT, Kind.NEAR)

    # --- any answer -------------------------------------------------------------------------------

    def judge(self, exchange: Exchange) -> Verdict:
        """What holds for every answer of the API, whatever was asked."""
        verdict = Verdict(exchanges=(exchange,))
        response = exchange.response
        status = response.status
        verdict.require(
            "D8", status == 200 or 400 <= status < 500, "200 or a refusal (4xx)", summary(response)
        )
        media_type = media_type_of(response.headers)
        if status == 200 and exchange.request.method != "HEAD":
            verdict.require("R8", media_type == "application/json", "application/json", media_type or "none")
        if 400 <= status < 500 and response.content:
            verdict.observe("A3", media_type or "none")
            self._observe_trace(verdict, response)
        if media_type.endswith("json") and response.content:
            verdict.require("R8", _is_json(response.content), "a JSON document", summary(response))
        return verdict

    def _observe_trace(self, verdict: Verdict, response: Response) -> None:
        document = document_of(response)
        trace = document.get("traceId") if isinstance(document, dict) else None
        if isinstance(trace, str):
            if self._trace is not None:
                verdict.observe("A2i", "is the same" if trace == self._trace else "differs")
            self._trace = trace

    # --- reads ------------------------------------------------------------------------------------

    def judge_read(
        self, exchange: Exchange, known: LoadView | None, earlier: Sequence[tuple[str, Exchange]] = ()
    ) -> tuple[Verdict, LoadView | None]:
        """A load read by its number: the load is what it was when last seen.

        `earlier` are the requests since then that had to leave no trace, each with its clause.
        """
        verdict = self.judge(exchange)
        if exchange.response.status != 200:
            if exchange.response.status == 404:
                verdict.observe("A2e", problem_of(exchange.response))
            return verdict, None
        view = self._view(verdict, exchange)
        if view is None:
            return verdict, None
        verdict.observe("A1b", _row_members(view))
        if payment_member_names(view.members) and view.payments:
            verdict.observe("A1", payment_member_names(view.members))
        if known is not None:
            verdict.exchanges = (*(one for _, one in earlier), exchange)
            repeated = any(one.response.status == 200 for _, one in earlier)
            changes = known.payment_changes(view) if repeated else known.changes(view)
            clause = earlier[-1][0] if earlier else "P9"
            verdict.require(clause, not changes, "the load as it was before", f"changed: {_listed(changes)}")
        return verdict, view

    def _view(self, verdict: Verdict, exchange: Exchange) -> LoadView | None:
        try:
            view = load_of(document_of(exchange.response))
        except UnexpectedFormError as error:
            verdict.require("P4", holds=False, expected="the members of the load page", got=str(error))
            return None
        verdict.require("P4", holds=True, expected="", got="")
        wanted = dict(exchange.request.query)
        for key, value in (("id", view.id), ("loadNumber", view.number)):
            if wanted.get(key, value) != value and wanted[key].strip().casefold() != value.casefold():
                verdict.require("P1", holds=False, expected=f"the load with {key} {wanted[key]}", got=value)
        verdict.passed.append("P1")
        return view

    # --- payments ---------------------------------------------------------------------------------

    def judge_payment(  # noqa: PLR0913 - each is a fact that the caller alone knows
        self,
        exchange: Exchange,
        before: LoadView | None = None,
        after: LoadView | None = None,
        *,
        exists: bool = True,
        alone: bool = True,
        doubts: Iterable[str] = (),
        nominal: str | None = None,
    ) -> Verdict:
        """The answer to a payment request.

        `before` and `after` are the load as it was and is; None where nobody looked. `exists` is False
        for a LoadNumber that no load has. `alone` is False while other payments may be under way for
        the same load. `doubts` are reasons that only the caller knows why a refusal would be right.
        `nominal` is the status that a load is said to have which nobody read.
        """
        verdict = self.judge(exchange)
        attempt = attempt_of(exchange.request)
        status = exchange.response.status
        if attempt is None or status >= 500 or not (status == 200 or status >= 400):
            return verdict
        case = _Case(exchange, attempt, before, after, self._kind(attempt), alone, nominal)
        case.reasons = attempt.reasons + _load_reasons(case.status, exists=exists)
        case.doubts = [*attempt.doubts, *doubts, *_doubts_about(attempt, before)]
        if status == 200:
            self._judge_accepted(verdict, case)
        else:
            self._judge_refused(verdict, case)
        return verdict

    def _kind(self, attempt: Attempt) -> Kind:
        number, reference = attempt.load, attempt.reference
        if number is None or reference is None:
            return Kind.NEW
        original = self.model.original(number, reference)
        if original is not None:
            changed = attempt.reasons or attempt.vague or _differs(attempt, original)
            return Kind.CHANGED_REPEAT if changed else Kind.REPEAT
        if self.model.has_elsewhere(number, reference):
            return Kind.ELSEWHERE
        if self.model.was_refused(number, reference):
            return Kind.REFUSED_BEFORE
        return Kind.NEAR if self.model.has_near(number, reference) else Kind.NEW

    # --- a refusal --------------------------------------------------------------------------------

    def _judge_refused(self, verdict: Verdict, case: "_Case") -> None:
        response = case.exchange.response
        self._require_no_trace(verdict, case)
        if case.reasons:
            self._judge_reason(verdict, case)
        elif case.kind is Kind.REPEAT and not case.doubts:
            verdict.require("R6", holds=False, expected="200 and the original payment", got=summary(response))
        elif case.kind is Kind.CHANGED_REPEAT:
            if not case.attempt.doubts:
                verdict.observe("A7", f"{response.status}")
        elif any(NOT_PAYABLE in text for text in texts_of(response)):
            expected = f"200, because the load's status is {case.status or 'not known'}"
            verdict.require("R1", case.status is None, expected, summary(response))
        elif not case.doubts and case.kind in (Kind.NEW, Kind.REFUSED_BEFORE, Kind.NEAR, Kind.ELSEWHERE):
            self._judge_valid_refused(verdict, case)
        elif case.doubts == [_OVERPAID]:
            plausible = response.status in _BUSINESS_REFUSALS
            if verdict.require("R1", plausible, "200, or a refusal of the amount", summary(response)):
                verdict.observe("A13", str(response.status))
        self._remember_refused(case)

    def _remember_refused(self, case: "_Case") -> None:
        number, reference = case.attempt.load, case.attempt.reference
        if number is not None and reference and case.kind in (Kind.NEW, Kind.ELSEWHERE):
            self.model.load(number).refused.add(reference)

    def _judge_valid_refused(self, verdict: Verdict, case: "_Case") -> None:
        response = case.exchange.response
        if case.kind is Kind.ELSEWHERE:
            verdict.observe("A8", f"{response.status}")
        elif case.kind is Kind.REFUSED_BEFORE:
            verdict.observe("A21", "is used up")
        elif case.kind is Kind.NEAR:
            verdict.observe(_near_question(case, self.model), f"{response.status}")
        else:
            clause = "D6" if case.status in (None, "Invoiced") and _is_minimal(case.attempt) else "R1"
            verdict.require(clause, holds=False, expected="200 and the payment", got=summary(response))

    def _judge_reason(self, verdict: Verdict, case: "_Case") -> None:
        response, reason = case.exchange.response, case.reasons[0]
        alone = len(case.reasons) == 1 and not case.doubts and case.kind not in _MAYBE_REPEATS
        if not alone:
            verdict.passed.append(reason.clause)
            return
        if not verdict.require(
            reason.clause, response.status in reason.statuses, reason.expected, summary(response)
        ):
            return
        if reason.sentence is not None:
            texts = texts_of(response)
            said = any(reason.sentence in text for text in texts)
            if verdict.require(reason.clause, said, reason.expected, summary(response)):
                exactly = "exactly the page's" if reason.sentence in texts else "contained in another"
                verdict.observe(_TEXT_OF[reason.sentence], exactly)
                verdict.observe(_PLACE_OF[reason.sentence], place_of(response, reason.sentence))
        if response.status == 400:
            verdict.observe("A2d", problem_of(response))
        elif response.status == 404:
            verdict.observe("A2e", problem_of(response))

    def _require_no_trace(self, verdict: Verdict, case: "_Case") -> None:
        if case.before is None or case.after is None or not case.alone:
            return
        changes = case.before.changes(case.after)
        clause = case.reasons[0].clause if case.reasons else "R6" if case.kind in _REPEATS else "R1"
        verdict.require(clause, not changes, "the load as before a refusal", f"changed: {_listed(changes)}")

    # --- a payment --------------------------------------------------------------------------------

    def _judge_accepted(self, verdict: Verdict, case: "_Case") -> None:
        if case.reasons and case.kind not in (*_REPEATS, Kind.NEAR):
            reason = case.reasons[0]
            verdict.require(
                reason.clause, holds=False, expected=reason.expected, got=summary(case.exchange.response)
            )
            return
        answer = self._answer(verdict, case)
        if answer is None:
            return
        new = self._new_rows(verdict, case, answer)
        if new is None:
            return
        self._require_old_rows(verdict, case, answer)
        if case.kind in _REPEATS:
            self._judge_repeat(verdict, case, answer, new)
        elif not new:
            self._judge_taken_for_known(verdict, case, answer)
        else:
            self._judge_new(verdict, case, answer, new[0])
        if case.attempt.load is not None:
            self.model.learn(case.attempt.load, answer.payments.values())
        if case.after is not None:
            self.model.see(case.after)

    def _answer(self, verdict: Verdict, case: "_Case") -> PaymentAnswer | None:
        try:
            answer = payment_answer_of(document_of(case.exchange.response))
        except UnexpectedFormError as error:
            verdict.require("D1", holds=False, expected=clauses.CLAUSES["D1"].sentence, got=str(error))
            return None
        number = case.before.number if case.before else case.attempt.load
        verdict.require(
            "D1", answer.load_number == number, f"LoadNumber {number}", f"LoadNumber {answer.load_number}"
        )
        if case.attempt.body.get("InvoiceNumber") is None or case.attempt.body.get("Note") is None:
            verdict.passed.append("D6")
        return answer

    def _new_rows(self, verdict: Verdict, case: "_Case", answer: PaymentAnswer) -> list[Row] | None:
        """The payments that this request added, at most one; None if that is already a failure."""
        known = case.before.payments if case.before and case.alone else None
        if known is None:
            rows = [row for row in answer.payments.values() if row.reference == case.attempt.reference]
        else:
            rows = [row for row in answer.payments.values() if row.id not in known]
        clause = "R6" if case.kind in _REPEATS else "D4"
        if not verdict.require(clause, len(rows) <= 1, "at most one new payment", f"{len(rows)} payments"):
            return None
        if known is not None and case.kind is Kind.NEW:
            got = f"{len(answer.payments)} payments, without it"
            recorded = rows or self._is_of_an_earlier_run(case, answer)
            if not verdict.require("D4", recorded, "the new payment in CustomerPayments", got):
                return None
        return rows

    def _is_of_an_earlier_run(self, case: "_Case", answer: PaymentAnswer) -> bool:
        return self._resumed and any(
            row.reference == case.attempt.reference for row in answer.payments.values()
        )

    def _require_old_rows(self, verdict: Verdict, case: "_Case", answer: PaymentAnswer) -> None:
        if case.attempt.load is None:
            return
        known = self.model.load(case.attempt.load).rows
        for row in answer.payments.values():
            changed = row.differences(known.get(row.id, row))
            verdict.require(
                "D4", not changed, "the payments as they were before", f"changed: {_listed(changed)}"
            )
        if case.before is not None and case.kind not in _MAYBE_REPEATS and case.alone and not self._resumed:
            lost = case.before.payments.keys() - answer.payments.keys()
            verdict.require(
                "D4", not lost, "the payments recorded before", f"without {_listed(sorted(lost))}"
            )

    # --- a repeat ---------------------------------------------------------------------------------

    def _judge_repeat(self, verdict: Verdict, case: "_Case", answer: PaymentAnswer, new: list[Row]) -> None:
        original = self.model.original(case.attempt.load or "", case.attempt.reference or "")
        if original is None:
            return
        returned = answer.payments.get(original.id)
        if case.before is not None and case.alone:
            verdict.require("R6", not new, "no duplicate", f"a new payment {new[0].id if new else ''}")
        if verdict.require(
            "R6", returned, f"the original payment {original.id}", summary(case.exchange.response)
        ):
            changed = original.differences(returned or original)
            verdict.require("R6", not changed, f"the original {original.members}", f"{returned}")
        if case.kind is Kind.CHANGED_REPEAT:
            verdict.observe("A7", "200, the original")
        if case.status is not None and case.status not in PAYABLE_STATUSES:
            verdict.observe("A10f", "200, the original")
        self._judge_after_repeat(verdict, case, answer)

    def _judge_taken_for_known(self, verdict: Verdict, case: "_Case", answer: PaymentAnswer) -> None:
        """A reference that the contract lets a target take for one it has, and that it took for it."""
        if case.kind is Kind.NEAR:
            verdict.observe(_near_question(case, self.model), "the same payment")
        elif case.kind is Kind.ELSEWHERE:
            verdict.observe("A8", "the payment of the other load")
        elif case.kind is Kind.REFUSED_BEFORE:
            verdict.observe("A21", "200, without a payment")
        wanted = near(case.attempt.reference or "")
        for row in answer.payments.values():
            if row.reference is not None and near(row.reference) == wanted and case.attempt.load:
                self.model.load(case.attempt.load).originals.setdefault(case.attempt.reference or "", row)
        self._judge_after_repeat(verdict, case, answer)

    def _judge_after_repeat(self, verdict: Verdict, case: "_Case", answer: PaymentAnswer) -> None:
        if case.before is None or case.after is None or not case.alone:
            return
        changes = case.before.payment_changes(case.after)
        verdict.require("R6", not changes, "the load's payments as before", f"changed: {_listed(changes)}")
        fixed = case.before.fixed_changes(case.after)
        verdict.require("P9", not fixed, "the load's other members as before", f"changed: {_listed(fixed)}")
        same = case.before.paid_at == case.after.paid_at
        verdict.observe("A16b", "unchanged" if same else "the time of the repeat")
        if answer.payments.keys() == case.after.payments.keys() and len(answer.payments) > 1:
            verdict.observe("Q1", _order(list(answer.payments), list(case.before.payments)))
        current = (answer.payments.keys(), answer.status) == (case.after.payments.keys(), case.after.status)
        what = "the current" if current else "another"
        verdict.observe("A6", f"200, the original in {what} list and status")

    # --- a new payment ----------------------------------------------------------------------------

    def _judge_new(self, verdict: Verdict, case: "_Case", answer: PaymentAnswer, row: Row) -> None:
        verdict.passed += ["R1"] if case.status in PAYABLE_STATUSES else []
        if not case.attempt.vague:
            _judge_values(verdict, case.attempt, row)
        if case.kind is Kind.NEAR:
            verdict.observe(_near_question(case, self.model), "another payment")
        elif case.kind is Kind.ELSEWHERE:
            verdict.observe("A8", "an independent payment")
        elif case.kind is Kind.REFUSED_BEFORE:
            verdict.observe("A21", "is not used up")
        if case.attempt.load is not None and case.attempt.reference is not None:
            self.model.load(case.attempt.load).originals.setdefault(case.attempt.reference, row)
            self.model.load(case.attempt.load).refused.discard(case.attempt.reference)
        if len(answer.payments) > 1 and case.alone:
            last = list(answer.payments)[-1] == row.id
            first = next(iter(answer.payments)) == row.id
            verdict.observe("Q1", "oldest first" if last else "newest first" if first else "some other")
        if case.before is not None and case.after is not None and case.alone:
            self._judge_load(verdict, case, answer, row)

    def _judge_load(self, verdict: Verdict, case: "_Case", answer: PaymentAnswer, row: Row) -> None:
        before, after = case.before, case.after
        if before is None or after is None:
            return
        verdict.require(
            "D3", answer.status == after.status, f"Status {after.status}", f"Status {answer.status}"
        )
        listed = after.payments.keys()
        verdict.require(
            "R7",
            listed == before.payments.keys() | {row.id},
            f"the payments before and {row.id} in the load's payments",
            f"{list(listed)}",
        )
        for key, old in before.payments.items():
            changed = old.differences(after.payments.get(key, old))
            verdict.require("R7", not changed, f"payment {key} as before", f"changed: {_listed(changed)}")
        changed = row.differences(after.payments.get(row.id, row))
        verdict.require(
            "R7", not changed, "the payment as the answer shows it", f"changed: {_listed(changed)}"
        )
        fixed = before.fixed_changes(after)
        verdict.require("P9", not fixed, "the load's other members as before", f"changed: {_listed(fixed)}")
        if not case.attempt.vague:
            _judge_total(verdict, case.attempt, before, after)
            _observe_status(verdict, before, after)
        _judge_paid_at(verdict, case.exchange, before, after)


@dataclass(slots=True)
class _Case:
    """A payment request with all that decides what its answer must be."""

    exchange: Exchange
    attempt: Attempt
    before: LoadView | None
    after: LoadView | None
    kind: Kind
    alone: bool
    nominal: str | None
    reasons: list[RefusalReason] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def status(self) -> str | None:
        """The load's status before, as it was read or is nominated."""
        return self.before.status if self.before else self.nominal


_REPEATS = (Kind.REPEAT, Kind.CHANGED_REPEAT)
_MAYBE_REPEATS = (*_REPEATS, Kind.NEAR, Kind.ELSEWHERE)


def _load_reasons(status: str | None, *, exists: bool) -> list[RefusalReason]:
    if not exists:
        return [RefusalReason("R3", "no load has that number", range(404, 405))]
    if status is not None and status not in PAYABLE_STATUSES:
        reason = f"the load's status is {status}"
        return [RefusalReason("R2", reason, range(400, 401), NOT_PAYABLE)]
    return []


def _doubts_about(attempt: Attempt, before: LoadView | None) -> list[str]:
    """What the load leaves open: its currency (A14), and how much of it is still to pay (A13)."""
    doubts = []
    own = before.currency if before else None
    currencies = _COMMON_CURRENCIES if own is None else (own,)
    if attempt.currency is not None and attempt.currency not in currencies:
        doubts.append("the currency is not known to be the load's")
    billed = before.billed if before else None
    if before and billed and attempt.amount is not None and attempt.amount.adjusted() < 300:
        paid = before.total.amount if before.total else Decimal(0)
        if EXACT.add(paid, attempt.amount) > billed.amount:
            doubts.append(_OVERPAID)
    return doubts


def _differs(attempt: Attempt, original: Row) -> bool:
    """Whether a repeat asks for something else than what was recorded first, as far as answers tell."""
    money = Money(attempt.amount or Decimal(0), attempt.currency or Decimal(0))
    date = original.members.get("PaymentDate")
    return (
        money != original.amount
        or any(
            (attempt.text(name) or None) != (original.members.get(name) or None)
            for name in TEXT_MEMBERS
            if name in original.members
        )
        or not isinstance(date, str)
        or instant(attempt.date or "") != instant(date)
    )


def _near_question(case: _Case, model: Model) -> str:
    """Which row of A9 a near reference is about."""
    reference = case.attempt.reference or ""
    known = model.load(case.attempt.load or "")
    others = {*known.originals, *known.refused} - {reference}
    if reference.strip() in {other.strip() for other in others}:
        return "A9b"
    return "A9a" if reference.casefold() in {other.casefold() for other in others} else "A9d"


def _is_minimal(attempt: Attempt) -> bool:
    return all(attempt.body.get(name) is None for name in (*TEXT_MEMBERS, "Note"))


# --- values -------------------------------------------------------------------------------------------


def _judge_values(verdict: Verdict, attempt: Attempt, row: Row) -> None:
    """D2, with room for what is open: outer white space, empty texts, digits beyond cents, currency 0."""
    sent, got = attempt.reference or "", row.reference or ""
    verdict.require("D2", got == sent or got == sent.strip(), f"ReferenceNumber {sent!r}", repr(got))
    if sent != sent.strip():
        verdict.observe("A9e", "as sent" if got == sent else "trimmed")
    if attempt.amount is not None:
        _judge_amount(verdict, attempt, row.amount.amount)
    if attempt.currency == 0:
        verdict.observe("A14d", str(row.amount.currency))
    elif attempt.currency is not None:
        expected = f"Currency {attempt.currency}"
        verdict.require("D2", row.amount.currency == attempt.currency, expected, f"{row.amount.currency}")
    for name in TEXT_MEMBERS:
        _judge_text(verdict, name, attempt.text(name), row.members[name])
    verdict.require(
        "D1", row.members.get("Note") is None, "no Note in a payment", f"{row.members.get('Note')!r}"
    )
    date = row.members["PaymentDate"]
    if isinstance(date, str) and attempt.date is not None:
        _judge_date(verdict, attempt, date)


def _judge_amount(verdict: Verdict, attempt: Attempt, got: Decimal) -> None:
    sent = attempt.amount or Decimal(0)
    expected = f"Amount {sent}"
    if "the amount has more digits than money has" not in attempt.doubts:
        verdict.require("D2", got == sent, expected, f"Amount {got}")
        return
    if got == sent:
        verdict.observe("A20c", "exact")
    elif nearly(got, sent):
        verdict.observe("A20c", "as a double")
    elif abs(got - sent) <= Decimal("0.01"):
        verdict.observe("A20c", "rounded to cents")
    else:
        verdict.require("D2", holds=False, expected=expected, got=f"Amount {got}")


def _judge_text(verdict: Verdict, name: str, sent: str | None, got: object) -> None:
    if sent and not sent.strip():
        verdict.observe("Q19", "kept" if got == sent else "trimmed")
    elif sent == "":
        verdict.observe("Q18", "stored empty" if got == "" else "stored as null")
        verdict.require("D2", not got, f"{name} empty", repr(got))
    elif sent is None:
        verdict.require("D2", got is None, f"{name} null", repr(got))
    elif sent != sent.strip() and got == sent.strip():
        verdict.observe("Q19", "trimmed")
    else:
        verdict.require("D2", got == sent, f"{name} {sent!r}", repr(got))
        if sent != sent.strip():
            verdict.observe("Q19", "kept")


def _judge_date(verdict: Verdict, attempt: Attempt, got: str) -> None:
    sent, meant, returned = attempt.date or "", instant(attempt.date or ""), instant(got)
    if meant is None or "PaymentDate is an unusual date-time" in attempt.doubts:
        return
    expected = f"PaymentDate {sent}, or the same instant written otherwise"
    same = returned is not None and abs(returned - meant) < _FINEST_INSTANT
    if not verdict.require("D2", same, expected, f"PaymentDate {got}"):
        return
    if got == sent and not sent.endswith("Z"):
        verdict.observe("A15", "as sent")
    elif got != sent:
        zone = "in UTC" if got.endswith(("Z", "+00:00")) else "with another offset"
        verdict.observe("A15", f"the same instant {zone}" if returned == meant else f"rounded, {zone}")


# --- the load -----------------------------------------------------------------------------------------


def _judge_total(verdict: Verdict, attempt: Attempt, before: LoadView, after: LoadView) -> None:
    amount, currency, own = attempt.amount or Decimal(0), attempt.currency, before.currency
    if not verdict.require("R7", after.total, "totalPaid, filled", "totalPaid null") or after.total is None:
        return
    paid = before.total.amount if before.total else Decimal(0)
    grown = EXACT.subtract(after.total.amount, paid)
    if own is None and before.payments:
        return
    if own is None or currency == own:
        expected = f"totalPaid {EXACT.add(paid, amount)}"
        if verdict.require("R7", nearly(grown, amount, paid), expected, f"{after.total}"):
            exact = "exact" if grown == amount else "off by less than a cent"
            verdict.observe("A20d", exact)
            if Decimal(repr(float(paid) + float(amount))) != EXACT.add(paid, amount):
                verdict.observe("A20a", exact)
        if own is None:
            same = after.total.currency == currency
            verdict.observe("Q20", "that of the payment" if same else str(after.total.currency))
        else:
            verdict.require(
                "R7", after.total.currency == own, f"totalPaid in currency {own}", f"{after.total}"
            )
    else:
        counts = {Decimal(0): "does not count", amount: "counts"}.get(
            grown, f"counts as {grown / amount:.2f}"
        )
        verdict.observe("A14b" if currency else "A14c", counts)


def _observe_status(verdict: Verdict, before: LoadView, after: LoadView) -> None:
    billed, total = before.billed, after.total
    if before.status == "Completed" and billed and after.status == "Completed":
        pass
    elif billed is None:
        verdict.observe("A12c", "unchanged" if after.status == before.status else after.status)
    elif total and total.currency == billed.currency and total.amount < billed.amount:
        verdict.observe("A12a", "unchanged" if after.status == before.status else after.status)
    elif total and total.currency == billed.currency:
        verdict.observe("A12b", after.status if after.status != before.status else "unchanged")
    if billed and total and total.currency == billed.currency and total.amount > billed.amount:
        verdict.observe("A13", "accepted")


def _judge_paid_at(verdict: Verdict, exchange: Exchange, before: LoadView, after: LoadView) -> None:
    if not verdict.require("R7", after.paid_at, "paidAt, filled", "paidAt null") or after.paid_at is None:
        return
    recorded, now = instant(after.paid_at), _now(exchange)
    near_now = recorded is not None and abs(recorded - now) < _CLOCKS_DIFFER_BY
    if after.paid_at != before.paid_at:
        verdict.require("R7", near_now, "paidAt, the time of recording", f"paidAt {after.paid_at}")
        verdict.observe("A16a", "the time of recording")
    elif not near_now or _is_fine(recorded):
        verdict.observe("A16a", "unchanged")


def _is_fine(recorded: Decimal | None) -> bool:
    """Whether a time tells microseconds, so that two payments cannot share it."""
    return recorded is not None and bool(recorded * 1000 % 1)


def _now(exchange: Exchange) -> Decimal:
    """The time of the exchange by the target's own clock, or by ours where it does not tell."""
    told = exchange.response.headers.get("date")
    try:
        at = parsedate_to_datetime(told) if told else datetime.fromisoformat(exchange.started)
    except ValueError:
        at = datetime.fromisoformat(exchange.started)
    return instant(at.isoformat(timespec="seconds")) or Decimal(0)


# --- words --------------------------------------------------------------------------------------------


def _is_json(content: bytes) -> bool:
    try:
        parse_json(content)
    except NotJsonError:
        return False
    return True


def summary(response: Response) -> str:
    """The status and the beginning of the body."""
    text = response.content.decode(errors="replace")
    return f"{response.status} {text[:400]}".strip()


def _listed(items: Iterable[str]) -> str:
    return ", ".join(items) or "nothing"


def _order(shown: list[str], recorded: list[str]) -> str:
    if shown == recorded:
        return "oldest first"
    return "newest first" if shown == recorded[::-1] else "some other"


def _row_members(view: LoadView) -> str:
    rows: list[Mapping[str, object]] = [row.members for row in view.payments.values()]
    names = {name for row in rows for name in row}
    if not rows or "ReferenceNumber" in names:
        return "those of the answer"
    return ", ".join(sorted(names))
