"""How the suites talk to the target."""

import pytest

from contract_tests.oracle.oracle import Oracle
from contract_tests.rules.findings import Findings
from contract_tests.run.run import Run
from contract_tests.run.settings import Settings
from contract_tests.run.target import Target
from contract_tests.safety.client import GuardedClient
from contract_tests.suites.api import Api
from contract_tests.suites.invoices import Invoices
from contract_tests.suites.lag import Lag


@pytest.fixture(scope="session")
def oracle(settings: Settings) -> Oracle:
    """The judge of every response of the run."""
    return Oracle(resumed=settings.resumed, revision=settings.revision)


@pytest.fixture(scope="session")
def api(client: GuardedClient, oracle: Oracle, findings: Findings, target: Target, run: Run) -> Api:
    """How the suites talk to the target."""
    settle = 0 if run.settings.plan else run.settings.settle or 0
    return Api(client.send, oracle, findings, target.loads, run.reads, Lag(settle))


@pytest.fixture(scope="session")
def invoices(api: Api) -> Invoices:
    """The invoices of the target, if it has any."""
    return Invoices(api)
