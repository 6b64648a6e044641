"""A state machine over several loads: whatever the order of requests, the oracle's model explains it."""

from decimal import Decimal

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from contract_tests.rules.clauses import CLAUSES
from contract_tests.rules.responses import LoadView
from contract_tests.run.settings import Settings
from contract_tests.run.target import Target
from contract_tests.suites.api import Api
from contract_tests.suites.cases import UNKNOWN_LOAD, payment
from contract_tests.suites.needs import References, need_payable

pytestmark = pytest.mark.suite("model")
DOCUMENTED = tuple(clause.id for clause in CLAUSES.values() if clause.grade == "documented")
STEPS = 12

# Small alphabets, so that references meet: on one load, on two, after a refusal, in another form.
ENDINGS = ("-a", "-A", "-a ", "-b", "-é")
AMOUNTS = tuple(Decimal(text) for text in ("0.1", "0.2", "0.7", "0", "-5"))
DATES = ("2026-07-01T15:30:00Z", "2026-07-01T17:30:00+02:00", "2026-07-02T00:00:00Z")
METHODS = (None, "ACH", "Check")


def machine_of(api: Api, reference: References) -> type[RuleBasedStateMachine]:
    """The state machine for a target."""

    class Payments(RuleBasedStateMachine):
        """Pays, replays and reads. The oracle judges each response and every load after it."""

        def __init__(self) -> None:
            """A fresh family of references, on two loads that take payments and one that does not."""
            super().__init__()
            self.family = reference()
            self.one = api.payable() or hypothesis.reject()
            self.other = api.payable(but=[self.one.number]) or self.one
            closed = api.not_payable()
            self.loads: list[LoadView | str] = [
                self.one,
                self.other,
                closed[0] if closed else UNKNOWN_LOAD,
                UNKNOWN_LOAD,
            ]
            self.sent: list[dict[str, object]] = []

        @rule(
            load=st.integers(0, 3),
            ending=st.sampled_from(ENDINGS),
            amount=st.sampled_from(AMOUNTS),
            date=st.sampled_from(DATES),
            method=st.sampled_from(METHODS),
            again=st.booleans(),
        )
        def pay(  # noqa: PLR0913 - a payment has many fields
            self, load: int, ending: str, amount: Decimal, date: str, method: str | None, *, again: bool
        ) -> None:
            """A payment, valid or not, and perhaps the same at once again."""
            body = payment(
                self.loads[load], self.family + ending, Sum=amount, PaymentDate=date, PaymentMethod=method
            )
            self.sent.append(body)
            for _ in range(1 + again):
                api.pay(body)

        @precondition(lambda self: self.sent)
        @rule(index=st.integers(0, STEPS))
        def replay(self, index: int) -> None:
            """An earlier request, as it was."""
            api.pay(self.sent[index % len(self.sent)])

        @precondition(lambda self: self.sent)
        @rule(index=st.integers(0, STEPS), amount=st.sampled_from(AMOUNTS))
        def replay_changed(self, index: int, amount: Decimal) -> None:
            """An earlier request with another amount."""
            body = dict(self.sent[index % len(self.sent)])
            money = body["Amount"]
            body["Amount"] = {**money, "Amount": amount} if isinstance(money, dict) else money
            api.pay(body)

        @rule(load=st.integers(0, 2))
        def read(self, load: int) -> None:
            """A read: the load is as it was left."""
            view = self.loads[load]
            if isinstance(view, LoadView):
                api.read(view.number)

        def teardown(self) -> None:
            """No load has changed behind its back."""
            for view in (self.one, self.other):
                api.read(view.number)

    return Payments


@pytest.mark.documented(*DOCUMENTED)
def test_any_order_of_requests(api: Api, reference: References, settings: Settings, target: Target) -> None:
    if not settings.examples:
        pytest.skip("generation is off")
    need_payable(api)
    phases = (Phase.generate, Phase.shrink) if target.is_mock else (Phase.generate,)
    run_state_machine_as_test(
        hypothesis.seed(settings.seed)(machine_of(api, reference)),
        settings=hypothesis.settings(
            max_examples=settings.examples,
            stateful_step_count=STEPS,
            phases=phases,
            deadline=None,
            database=None,
            print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
