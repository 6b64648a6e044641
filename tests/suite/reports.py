"""Reports made of a few findings, for the tests of what is written of them."""

import io

from rich.console import Console

from contract_tests.report.build import Report, build
from contract_tests.report.results import Results
from contract_tests.report.terminal import show
from contract_tests.rules.clauses import Clause
from contract_tests.rules.exchange import Exchange, Request, Response
from contract_tests.rules.findings import Findings
from contract_tests.rules.questions import Question
from contract_tests.safety.payment_log import LoggedPayment
from tests.suite.counting_server import PAYMENTS

CLAUSES = {
    "R1": Clause("R1", "documented", "Payments are accepted."),
    "R2": Clause("R2", "documented", "Any other status is refused."),
    "R3": Clause("R3", "documented", "An unknown load is 404."),
    "P1": Clause("P1", "published", "A load is read."),
}
QUESTIONS = {
    "A6": Question("A6", "A replay answers", "200"),
    "A7": Question("A7", "New values", "are ignored"),
}
PAID = LoggedPayment("2026-07-01T00:00:00.000Z", "LD-1", "ct-run-1", "0.10", 840, "recorded", 200, "id-1")
NASTY = "<script>alert(1)</script>{{ 7 * 7 }}'\"\ud800"


def exchange(text: str = "x", status: int = 200) -> Exchange:
    request = Request(
        "POST", PAYMENTS, (), {"Content-Type": "application/json"}, text.encode("utf-8", "surrogatepass")
    )
    content = text.encode("utf-8", "surrogatepass")
    return Exchange(request, Response(status, {"x": "y"}, content), "2026-07-01T00:00:00.000Z", 0.01)


def results(findings: Findings, **facts: object) -> Results:
    whole = Results(
        findings, requests=57, payments=[PAID], target="https://target", base_url="https://target"
    )
    for name, value in facts.items():
        setattr(whole, name, value)
    return whole


def report(whole: Results) -> Report:
    return build(
        whole,
        started="2026-07-01T00:00:00.000Z",
        seed=7,
        run_id="run",
        clauses=CLAUSES,
        questions=QUESTIONS,
    )


def mixed() -> Report:
    findings = Findings()
    findings.passes("R1")
    findings.passes("R1")
    findings.passes("R2")
    findings.fails("R2", "404", "200", exchange("long" * 100), exchange("also long" * 50))
    findings.fails("R2", "404", "200", exchange(), exchange("short"))
    findings.cannot_test("R3", "budget: 3 requests are used up")
    findings.observes("A6", "200")
    findings.observes("A6", "200")
    findings.observes("A6", "409")
    return report(results(findings))


def shown(one: Report, *, list_payments: bool = True) -> str:
    stream = io.StringIO()
    show(one, Console(file=stream, width=100), list_payments=list_payments)
    return stream.getvalue()
