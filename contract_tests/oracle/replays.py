"""A reference that the load has: the original payment comes back, and nothing is recorded."""

from contract_tests.oracle.expectation import Kind
from contract_tests.oracle.load import require_told_total
from contract_tests.oracle.model import Model
from contract_tests.oracle.payment import PaymentExchange, near_question, replay_question
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.clauses import PAYABLE_STATUSES
from contract_tests.rules.responses import LoadView, PaymentResponse, PaymentView
from contract_tests.rules.revisions import PAGE
from contract_tests.rules.values import near


def judge_replay(
    verdict: Verdict, payment: PaymentExchange, shown: PaymentResponse, new: list[PaymentView], model: Model
) -> None:
    """A reference that the load is known to have."""
    original = model.original(payment.attempt.load or "", payment.attempt.reference or "")
    if original is None:
        return
    verdict.original = dict(original.fields)
    if payment.before is not None:
        verdict.require("R6", not new, "no duplicate", f"a new payment {new[0].id if new else ''}")
    returned = shown.payments.get(original.id)
    wanted = f"the original payment {original.id}"
    if verdict.require("R6", returned, wanted, payment.response.summary) and returned is not None:
        changed = original.differences(returned)
        verdict.require("R6", not changed, f"the original: {original.said(changed)}", returned.said(changed))
    if payment.kind is Kind.CHANGED_REPLAY:
        verdict.observe(replay_question(payment.attempt, model), "200, the original")
    status = payment.expected.load.status
    if status is not None and status not in PAYABLE_STATUSES:
        verdict.observe("A10f", "200, the original")
    _judge_afterwards(verdict, payment, shown)


def judge_taken_for_known(
    verdict: Verdict, payment: PaymentExchange, shown: PaymentResponse, model: Model
) -> None:
    """A reference that the contract lets a target take for one it has, and that it took for it."""
    attempt, known = payment.attempt, model.load(payment.attempt.load or "")
    if payment.kind is Kind.NEAR:
        verdict.observe(near_question(attempt, model), "the same payment")
    elif payment.kind is Kind.ELSEWHERE:
        verdict.observe("A8", "the payment of the other load")
    elif payment.kind is Kind.REFUSED_BEFORE:
        verdict.observe("A21", "200, without a payment")
    reference = attempt.reference or ""
    for one in shown.payments.values():
        if attempt.load and one.reference is not None and near(one.reference) == near(reference):
            known.originals.setdefault(reference, one)
    _judge_afterwards(verdict, payment, shown)


def _judge_afterwards(verdict: Verdict, payment: PaymentExchange, shown: PaymentResponse) -> None:
    if payment.around is None:
        return
    before, after = payment.around
    require_told_total(verdict, "R6", shown, after)
    verdict.require_unchanged("R6", before.payment_changes(after), "the load's payments as before")
    verdict.require_unchanged("P9", before.fixed_changes(after), "the load's other fields as before")
    verdict.observe("A16b", "unchanged" if before.paid_at == after.paid_at else "the time of the replay")
    what = "the current" if _is_current(shown, after) else "another"
    verdict.observe("A6", f"200, the original in {what} list and status")


def _is_current(shown: PaymentResponse, after: LoadView) -> bool:
    return shown.status == after.status and (shown.revision != PAGE or shown.ids == after.payments.keys())
