"""What a run costs and what it writes, as docs/contract-suite.md says."""

import json
import re

import pytest

from contract_tests.run.settings import SUITES
from tests.docs.page import differences, page
from tests.docs.session import contract_output

PAGE = page("docs/contract-suite.md")
COUNTED = ("reads", "rejects", "smoke")
"""The suites whose cost does not depend on what is generated."""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the plan of each suite prints; and in `report` a JSON report."""
    folder = tmp_path_factory.mktemp("plans")
    (nominated,) = PAGE.blocks_in("yaml")
    (folder / "loads.yaml").write_text(nominated.text, "utf-8")
    planned = ["--target", "https://qaapi.alvys.net", "--loads", "loads.yaml", "--record-payments", "--plan"]
    output = {suite: contract_output(folder, *planned, "--suite", suite) for suite in COUNTED}
    output["with consent"] = contract_output(folder, *planned)
    output["without"] = contract_output(folder, "--target", "https://qaapi.alvys.net", "--plan")
    contract_output(folder, "--suite", "reads", "--json", "report.json")
    return output | {"report": (folder / "report.json").read_text("utf-8")}


def cost(plan: str) -> tuple[str, str, str, str]:
    """Requests, payments and money, and the time in minutes."""
    told = r"^(\d+) requests, (\d+) payments worth ([\d.]+), (?:(\d+) min )?(\d+) s at"
    match = re.search(told, plan, re.MULTILINE)
    assert match, plan[-2000:]
    minutes = int(match[4] or 0) + (int(match[5]) >= 30)
    return match[1], match[2], match[3], f"{minutes} minutes"


def test_table_of_suites_says_what_a_run_costs(printed: dict[str, str]) -> None:
    expected: list[tuple[str | None, ...]] = []
    for suite in SUITES:
        counted = cost(printed[suite]) if suite in COUNTED else ("many", "many", "", "hours")
        requests, payments, money, time = counted
        paid = f"{payments}, worth {money}" if money > "0" else payments
        expected.append((suite, None, requests, paid, time))
    found = differences(PAGE, "The suites", expected)
    assert not found, "\n".join(found)


def test_only_smoke_costs_money_as_said(printed: dict[str, str]) -> None:
    _, payments, money, _ = cost(printed["smoke"])
    *_, time = cost(printed["with consent"])
    assert f"# With consent: {payments} payments worth {money} in all; {time} at the" in PAGE.text
    *_, time = cost(printed["without"])
    assert f"# Reads only: {time} at the published limits" in PAGE.text
    assert {cost(printed[suite])[1] for suite in COUNTED} == {"0", payments}


def test_fields_of_the_report_are_those_of_the_table(printed: dict[str, str]) -> None:
    report = json.loads(printed["report"])
    found = differences(PAGE, "The JSON report", [(name, None) for name in report])
    assert not found, "\n".join(found)
    told = set(re.findall(r"`(\w+)`", " ".join(row[1] for row in PAGE.table("The JSON report").rows)))
    clause, observation = report["clauses"][0], report["observations"][0]
    assert clause.keys() | clause["evidence"].keys() | observation.keys() == told
