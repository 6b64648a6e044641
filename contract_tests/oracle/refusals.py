"""A payment that was refused: whether it had to be or might be, with which words, and without a trace."""

from contract_tests.oracle.expectation import Kind
from contract_tests.oracle.model import Model
from contract_tests.oracle.payment import PaymentExchange, near_question, replay_question
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.clauses import NOT_PAYABLE
from contract_tests.rules.exchange import Response
from contract_tests.rules.refusals import Doubt
from contract_tests.rules.responses import place_of, problem_of, says
from contract_tests.rules.values import strings_in

_QUESTIONS = {"R5": ("A2a", "A24a"), "R4": ("A2b", "A24b"), "R2": ("A2c", "A24c")}
"""Where the sentence of a clause is, and how it is worded."""
_STATUSES_OF_A_RULE = (400, 409, 422)


def judge_refusal(verdict: Verdict, payment: PaymentExchange, model: Model) -> None:
    """A 4xx of the payment endpoint."""
    require_no_trace(verdict, payment)
    if payment.expected.reasons:
        _judge_reason(verdict, payment)
    elif payment.kind is Kind.CHANGED_REPLAY:
        if not payment.attempt.doubts:
            verdict.observe(replay_question(payment.attempt, model), str(payment.response.status))
    elif payment.kind is Kind.REPLAY and not payment.expected.doubts:
        verdict.fail("R6", "200 and the original payment", payment.response.summary)
    else:
        _judge_unreasoned(verdict, payment, model)
    attempt = payment.attempt
    if attempt.load is not None and attempt.reference and payment.kind in (Kind.NEW, Kind.ELSEWHERE):
        model.load(attempt.load).refused.add(attempt.reference)


def require_no_trace(verdict: Verdict, payment: PaymentExchange) -> None:
    """The load is as it was, where it was read before and after."""
    if payment.around is None:
        return
    before, after = payment.around
    reasons = payment.expected.reasons
    clause = reasons[0].clause if reasons else "R6" if payment.kind.is_replay else "R1"
    verdict.require_unchanged(clause, before.changes(after), "the load as before a refusal")


def _judge_reason(verdict: Verdict, payment: PaymentExchange) -> None:
    expected, response = payment.expected, payment.response
    reason = expected.reasons[0]
    if len(expected.reasons) > 1 or expected.doubts or expected.kind.may_be_replay:
        # At a load that does not exist, a 404 says nothing of what else is wrong.
        unknown = response.status == 404 and any(one.clause == "R3" for one in expected.reasons)
        if unknown or reason.sentence is None or says(response, reason.sentence):
            verdict.passed.append("R3" if unknown else reason.clause)
        return
    if not verdict.require(
        reason.clause, response.status in reason.statuses, reason.expected, response.summary
    ):
        return
    if reason.sentence is not None and verdict.require(
        reason.clause, says(response, reason.sentence), reason.expected, response.summary
    ):
        _observe_sentence(verdict, reason.clause, reason.sentence, response)
    if response.status in (400, 404):
        verdict.observe("A2d" if response.status == 400 else "A2e", problem_of(response))


def _observe_sentence(verdict: Verdict, clause: str, sentence: str, response: Response) -> None:
    place, wording = _QUESTIONS[clause]
    is_exact = sentence in strings_in(response.document)
    verdict.observe(wording, "exactly the page's" if is_exact else "contained in another")
    verdict.observe(place, place_of(response, sentence))


def _judge_unreasoned(verdict: Verdict, payment: PaymentExchange, model: Model) -> None:
    """Nothing that is known of the request or its load breaks a rule."""
    status, response, doubts = payment.expected.load.status, payment.response, payment.expected.doubts
    if says(response, NOT_PAYABLE):
        expected = f"200, because the load's status is {status or 'not known'}"
        verdict.require("R1", status is None, expected, response.summary)
    elif not doubts:
        _judge_valid(verdict, payment, model)
    elif doubts == {Doubt.OVERPAYMENT}:
        plausible = response.status in _STATUSES_OF_A_RULE
        is_plain = payment.kind is Kind.NEW  # else it may be refused for its reference
        if verdict.require("R1", plausible, "200, or a refusal of the amount", response.summary) and is_plain:
            verdict.observe("A13", str(response.status))


def _judge_valid(verdict: Verdict, payment: PaymentExchange, model: Model) -> None:
    response, attempt = payment.response, payment.attempt
    if payment.kind is Kind.ELSEWHERE:
        verdict.observe("A8", str(response.status))
    elif payment.kind is Kind.REFUSED_BEFORE:
        verdict.observe("A21", "is used up")
    elif payment.kind is Kind.NEAR:
        verdict.observe(near_question(attempt, model), str(response.status))
    else:
        in_doubt = payment.expected.load.status not in (None, "Invoiced")
        clause = "R1" if in_doubt or not attempt.is_minimal else "D6"
        verdict.fail(clause, "200 and the payment", response.summary)
