"""Schemathesis over openapi.yaml: its checks and the oracle judge what it generates."""

import contextlib
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis import Case
from schemathesis.core.transport import Response
from schemathesis.schemas import BaseSchema

from contract_tests.oracle.oracle import Oracle
from contract_tests.rules.clauses import CLAUSES
from contract_tests.rules.exchange import Exchange
from contract_tests.run.settings import Settings
from contract_tests.run.target import Target
from contract_tests.safety.guard import Refused
from contract_tests.suites.api import Api
from contract_tests.suites.generated import request_of, response_of, schema_for, send, validate
from contract_tests.suites.needs import References

pytestmark = pytest.mark.suite("fuzz")
DOCUMENTED = tuple(clause.id for clause in CLAUSES.values() if clause.grade == "documented")
SCENARIOS_PER_EXAMPLE = 5


@pytest.fixture(scope="session")
def contract(
    settings: Settings, target: Target, reference: References, api: Api, oracle: Oracle
) -> BaseSchema:
    """The contract, as Schemathesis sees it for this target, in the revision that a load shows."""
    next(api.all_payable(), None)
    return schema_for(settings, target, reference, oracle.revision)


generated = schemathesis.pytest.from_fixture("contract")


@generated.parametrize()
@pytest.mark.documented(*DOCUMENTED)
def test_generated_requests(case: Case[Any], api: Api) -> None:
    # What the guard doesn't let out wasn't tested, and the next case may well be let out.
    with contextlib.suppress(Refused):
        validate(api, case, send(api, request_of(case)))


@pytest.mark.documented("D1", "D3")
def test_links(contract: BaseSchema, api: Api, settings: Settings) -> None:
    if not settings.examples:
        pytest.skip("generation is off")

    class Links(contract.as_state_machine()):  # type: ignore[misc]
        """Follows the links of the document: a recorded payment leads to its load."""

        def call(self, case: Case[Any], **_: object) -> Response:
            """Sends through our client."""
            self.exchange: Exchange | None = None
            try:
                self.exchange = send(api, request_of(case))
            except Refused:
                hypothesis.reject()
            return response_of(self.exchange)

        def validate_response(self, response: Response, case: Case[Any], **_: object) -> None:
            """Judges as the other cases are judged."""
            del response
            if self.exchange is not None:
                validate(api, case, self.exchange)

    limits = hypothesis.settings(
        max_examples=max(settings.examples // SCENARIOS_PER_EXAMPLE, 1),
        stateful_step_count=4,
        phases=(Phase.generate,),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    # Which links can be followed depends on responses, and these on all that was paid before. Hypothesis
    # takes that for a flaky generator and gives up; nothing that was judged until then is lost.
    with contextlib.suppress(FlakyStrategyDefinition):
        Links.run(settings=limits)
