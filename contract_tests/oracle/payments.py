"""A payment that was accepted: the payments that the response shows, old and new."""

from contract_tests.oracle.expectation import Kind
from contract_tests.oracle.load import judge_load
from contract_tests.oracle.model import Model
from contract_tests.oracle.payment import PaymentExchange, near_question
from contract_tests.oracle.replays import judge_replay, judge_taken_for_known
from contract_tests.oracle.values import judge_values
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.clauses import CLAUSES, PAYABLE_STATUSES
from contract_tests.rules.responses import (
    PaymentResponse,
    PaymentView,
    UnexpectedFormError,
    payment_response_of,
)


def judge_accepted(verdict: Verdict, payment: PaymentExchange, model: Model) -> None:
    """A 200 of the payment endpoint."""
    if payment.expected.must_be_refused:
        reason = payment.expected.reasons[0]
        verdict.fail(reason.clause, reason.expected, payment.response.summary)
        return
    shown = _shown(verdict, payment)
    new = None if shown is None else _new_payments(verdict, payment, shown, model)
    if shown is None or new is None:
        return
    _require_old_payments(verdict, payment, shown, model)
    if payment.kind.is_replay:
        judge_replay(verdict, payment, shown, new, model)
    elif not new:
        judge_taken_for_known(verdict, payment, shown, model)
    else:
        _judge_new(verdict, payment, shown, new[0], model)
    if payment.attempt.load is not None:
        model.learn(payment.attempt.load, shown.payments.values())
    if payment.after is not None:
        model.see(payment.after)


def _shown(verdict: Verdict, payment: PaymentExchange) -> PaymentResponse | None:
    try:
        shown = payment_response_of(payment.response)
    except UnexpectedFormError as error:
        verdict.fail("D1", CLAUSES["D1"].sentence, str(error))
        return None
    load, body = payment.expected.load.view, payment.attempt.body
    number = load.number if load else payment.attempt.load
    got = f"LoadNumber {shown.load_number}"
    verdict.require("D1", shown.load_number == number, f"LoadNumber {number}", got)
    if body.get("InvoiceNumber") is None or body.get("Note") is None:
        verdict.passed.append("D6")
    return shown


def _new_payments(
    verdict: Verdict, payment: PaymentExchange, shown: PaymentResponse, model: Model
) -> list[PaymentView] | None:
    """The payments that this request added, at most one; None if that is already a failure."""
    ours = shown.paid_as(payment.attempt.reference)
    new = ours
    if payment.before is not None:
        known = payment.before.payments
        new = [one for one in shown.payments.values() if one.id not in known]
    clause = "R6" if payment.kind.is_replay else "D4"
    if not verdict.require(clause, len(new) <= 1, "at most one new payment", f"{len(new)} payments"):
        return None
    if payment.before is not None and payment.kind is Kind.NEW:
        recorded, got = new or (model.resumed and ours), f"{len(shown.payments)} payments, without it"
        if not verdict.require("D4", recorded, "the new payment in CustomerPayments", got):
            return None
    return new


def _require_old_payments(
    verdict: Verdict, payment: PaymentExchange, shown: PaymentResponse, model: Model
) -> None:
    if payment.attempt.load is None:
        return
    known = model.load(payment.attempt.load).payments
    for one in shown.payments.values():
        changes = one.differences(known.get(one.id, one))
        verdict.require_unchanged("D4", changes, "the payments as they were before")
    if payment.before is not None and not payment.kind.may_be_replay and not model.resumed:
        lost = ", ".join(sorted(payment.before.payments.keys() - shown.payments.keys()))
        verdict.require("D4", not lost, "the payments recorded before", f"without {lost}")


def _judge_new(
    verdict: Verdict, payment: PaymentExchange, shown: PaymentResponse, new: PaymentView, model: Model
) -> None:
    attempt = payment.attempt
    verdict.passed += ["R1"] if payment.expected.load.status in PAYABLE_STATUSES else []
    if not attempt.vague:
        judge_values(verdict, attempt, new, payment.before.currency if payment.before else None)
    _observe_kind(verdict, payment, model)
    if attempt.load is not None and attempt.reference is not None:
        known = model.load(attempt.load)
        known.originals.setdefault(attempt.reference, new)
        known.refused.discard(attempt.reference)
    if len(shown.payments) > 1 and payment.alone:
        ids = list(shown.payments)
        verdict.observe("Q1", {ids[0]: "newest first", ids[-1]: "oldest first"}.get(new.id, "some other"))
    if payment.around is not None:
        judge_load(verdict, payment, shown, new)


def _observe_kind(verdict: Verdict, payment: PaymentExchange, model: Model) -> None:
    if payment.kind is Kind.NEAR:
        verdict.observe(near_question(payment.attempt, model), "another payment")
    elif payment.kind is Kind.ELSEWHERE:
        verdict.observe("A8", "an independent payment")
    elif payment.kind is Kind.REFUSED_BEFORE:
        verdict.observe("A21", "is not used up")
