"""A payment that was accepted: the payments that the response shows, old and new."""

import contextlib
from dataclasses import replace
from decimal import Decimal

from contract_tests.oracle.expectation import Kind
from contract_tests.oracle.load import judge_load
from contract_tests.oracle.model import Model
from contract_tests.oracle.payment import PaymentExchange, near_question
from contract_tests.oracle.replays import judge_replay, judge_taken_for_known
from contract_tests.oracle.values import judge_money, judge_values
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.attempt import Attempt
from contract_tests.rules.clauses import PAYABLE_STATUSES
from contract_tests.rules.responses import (
    PaymentResponse,
    PaymentView,
    UnexpectedFormError,
    payment_response_of,
)
from contract_tests.rules.revisions import PAGE, clauses_of
from contract_tests.rules.values import Money


def judge_accepted(verdict: Verdict, payment: PaymentExchange, model: Model) -> None:
    """A 200 of the payment endpoint."""
    if payment.expected.forbidding:
        for reason in payment.expected.stopping or payment.expected.forbidding:
            verdict.fail(reason.clause, reason.expected, payment.response.summary)
        _learn_all_the_same(payment, model)
        return
    shown = _shown(verdict, payment, model)
    new = None if shown is None else _new_payments(verdict, payment, shown, model)
    if shown is None or new is None:
        return
    if payment.kind.is_replay:
        judge_replay(verdict, payment, shown, new, model)
    elif not new:
        judge_taken_for_known(verdict, payment, shown, model)
    else:
        _judge_new(verdict, payment, shown, new[0], model)
    _require_old_payments(verdict, payment, shown, model)
    if payment.attempt.load is not None:
        model.learn(payment.attempt.load, shown.payments.values())
    if payment.after is not None:
        model.see(payment.after)


def _learn_all_the_same(payment: PaymentExchange, model: Model) -> None:
    """What was recorded against the contract is there, and is no surprise later."""
    with contextlib.suppress(UnexpectedFormError):
        shown = payment_response_of(payment.response)
        model.learn(shown.load_number, shown.payments.values())
    if payment.after is not None:
        model.see(payment.after)


def _shown(verdict: Verdict, payment: PaymentExchange, model: Model) -> PaymentResponse | None:
    wanted = clauses_of(model.revision or PAGE)["D1"].sentence
    try:
        shown = payment_response_of(payment.response)
    except UnexpectedFormError as error:
        verdict.fail("D1", wanted, str(error))
        return None
    verdict.observe("A1c", shown.revision)
    model.revision = model.revision or shown.revision
    if shown.revision != model.revision:
        verdict.fail("D1", wanted, f"the form of revision {shown.revision}")
        return None
    load, body = payment.expected.load.view, payment.attempt.body
    number = load.number if load else payment.attempt.load
    got = f"LoadNumber {shown.load_number}"
    verdict.require("D1", number in (None, shown.load_number), f"LoadNumber {number}", got)
    if body.get("InvoiceNumber") is None or body.get("Note") is None:
        verdict.passed.append("D6")
    return _listed(shown, payment)


def _listed(shown: PaymentResponse, payment: PaymentExchange) -> PaymentResponse:
    """The response with its payments: since July they are the load's, or as sent where nobody looked."""
    if shown.id is None:
        return shown
    before = payment.before.payments if payment.before else {}
    after = payment.after.payments if payment.after else {}
    own = after.get(shown.id) or before.get(shown.id) or _as_sent(shown.id, payment.attempt)
    return replace(shown, payments={**before, shown.id: own})


def _as_sent(id: str, attempt: Attempt) -> PaymentView:
    return PaymentView(id, Money(attempt.amount or Decimal(0), attempt.currency or Decimal(0)), {})


def _new_payments(
    verdict: Verdict, payment: PaymentExchange, shown: PaymentResponse, model: Model
) -> list[PaymentView] | None:
    """The payments that this request added, at most one; None if that is already a failure."""
    ours = shown.paid_as(payment.attempt.reference)
    new = ours
    if payment.before is not None:
        known = payment.before.payments
        new = [one for one in shown.payments.values() if one.id not in known]
    listing = "D4" if shown.revision == PAGE else "R7"
    clause = "R6" if payment.kind.is_replay else listing
    if not verdict.require(clause, len(new) <= 1, "at most one new payment", f"{len(new)} payments"):
        return None
    is_named = shown.revision == PAGE and payment.attempt.reference is not None
    if payment.kind is Kind.NEW and (payment.before is not None or is_named):
        recorded, got = new or (model.resumed and ours), f"{len(shown.payments)} payments, without it"
        if not verdict.require(listing, recorded, "a new payment, with an Id of its own", got):
            return None
    return new


def _require_old_payments(
    verdict: Verdict, payment: PaymentExchange, shown: PaymentResponse, model: Model
) -> None:
    if payment.attempt.load is None or shown.revision != PAGE:
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
    own = payment.before.currency if payment.before else None
    if not attempt.vague and shown.revision == PAGE:
        judge_values(verdict, attempt, new, own)
    elif not attempt.vague and new.fields:
        judge_money(verdict, attempt, new, own)
    _observe_kind(verdict, payment, model)
    if attempt.load is not None and attempt.reference is not None:
        known = model.load(attempt.load)
        known.originals.setdefault(attempt.reference, new)
        known.sent.setdefault(attempt.reference, attempt)
        known.refused.discard(attempt.reference)
    if len(shown.payments) > 1 and payment.alone and shown.revision == PAGE:
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
