"""The oracle: decides whether a response is right, knowing the load before and after.

Written from the contract, not from the mock. It is the only judge: tests, the state machine, bursts
and Schemathesis' traffic all pass through it. A documented or published clause is asserted; what the
contract leaves open is observed. A request that is open in any respect may be paid or refused.
"""

from collections.abc import Iterable, Iterator, Sequence

from contract_tests.oracle.bursts import TimedExchange, in_order, judge_together, lost_a_race
from contract_tests.oracle.expectation import Expectation, LoadBefore, expect
from contract_tests.oracle.general import judge_any, observe_trace
from contract_tests.oracle.model import Model
from contract_tests.oracle.payment import PaymentExchange
from contract_tests.oracle.payments import judge_accepted
from contract_tests.oracle.reads import judge_read
from contract_tests.oracle.recorded import judge_recorded
from contract_tests.oracle.refusals import judge_refusal, require_no_trace
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.attempt import Attempt
from contract_tests.rules.exchange import Exchange
from contract_tests.rules.refusals import FAILS_SOME_PARSERS, Doubt
from contract_tests.rules.responses import LoadView
from contract_tests.rules.revisions import PAGE, Revision


class Oracle:
    """Judges responses. It remembers which payments it has seen, and the last traceId."""

    def __init__(self, *, resumed: bool = False, revision: Revision | None = None) -> None:
        """A resumed run may meet payments that it recorded earlier.

        Without a revision, that of the first response to a payment counts.
        """
        self._model = Model(resumed, revision)
        self._trace: str | None = None
        self._met: set[str] = set()
        self._of_loads: Revision = PAGE

    @property
    def revision(self) -> Revision:
        """That of the first response to a payment, else of the loads so far."""
        return self._model.revision or self._of_loads

    def see(self, view: LoadView) -> None:
        """Learns the payments of a load that was read."""
        self._of_loads = view.revision
        self._model.see(view)

    def judge(self, exchange: Exchange, *, may_fail: bool = False) -> Verdict:
        """What every response of the API must be, whatever was asked; a 5xx only where it `may_fail`."""
        verdict = Verdict(exchanges=(exchange,))
        judge_any(verdict, exchange, may_fail=may_fail)
        self._trace = observe_trace(verdict, exchange.response, self._trace)
        return verdict

    def judge_read(
        self, exchange: Exchange, known: LoadView | None, earlier: Sequence[tuple[str, Exchange]] = ()
    ) -> tuple[Verdict, LoadView | None]:
        """A load read by its number: the load is what it was when last seen.

        `earlier` are the requests since then that had to leave no trace, each with its clause.
        """
        verdict = self.judge(exchange)
        view = judge_read(verdict, exchange, known, earlier)
        if view is not None and view.number not in self._met:
            self._met.add(view.number)
            judge_recorded(verdict, view)
        return verdict, view

    def expect(self, attempt: Attempt, load: LoadBefore, doubts: Iterable[Doubt] = ()) -> Expectation:
        """What a payment must lead to, before it is sent; `doubts` are those that the caller alone has."""
        return expect(self._model, attempt, load, doubts)

    def judge_payment(
        self, expected: Expectation, exchange: Exchange, after: LoadView | None = None, *, alone: bool = True
    ) -> Verdict:
        """The response to a payment request.

        `after` is the load as it is now; None where nobody looked. `alone` is False while other
        payments may be under way for the same load.
        """
        verdict = self.judge(exchange, may_fail=bool(expected.doubts & FAILS_SOME_PARSERS))
        payment = PaymentExchange(expected, exchange, after, alone)
        response = exchange.response
        if response.is_of_the_road or not (response.status == 200 or response.is_refusal):
            if expected.forbidding:
                require_no_trace(verdict, payment)
        elif response.status == 200:
            judge_accepted(verdict, payment, self._model)
        else:
            judge_refusal(verdict, payment, self._model)
        return verdict

    def judge_each(self, calls: Sequence[TimedExchange], before: LoadView) -> Iterator[Verdict]:
        """The responses to payments of one load that were sent at once, each alone."""
        for one in in_order(calls):
            if lost_a_race(one, calls):
                yield self.judge(one.exchange)
            else:
                expected = self.expect(one.attempt, LoadBefore(before))
                yield self.judge_payment(expected, one.exchange, alone=False)

    def judge_together(self, calls: Sequence[TimedExchange], before: LoadView, after: LoadView) -> Verdict:
        """The same responses together, once the load was read again."""
        verdict = Verdict(exchanges=tuple(one.exchange for one in calls))
        judge_together(verdict, calls, before, after)
        return verdict
