"""What a person reads first: the failures, each cause once, with amounts that people write."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest

from contract_tests.report.causes import rounded
from contract_tests.report.failures import kind
from contract_tests.rules.exchange import Exchange
from contract_tests.rules.findings import Findings
from contract_tests.safety.guard import Budget
from tests.suite.reports import PAID, exchange, mixed, report, results, shown


def seen_at(second: int, text: str = "x") -> Exchange:
    return replace(exchange(text), started=f"2026-07-01T00:00:{second:02}.000Z")


def causes_of(*failures: tuple[str, str, str, Exchange]) -> list[tuple[list[str], int]]:
    findings = Findings()
    for clause, expected, got, shows in failures:
        findings.fails(clause, expected, got, shows)
    return [(cause.clauses, cause.times) for cause in report(results(findings)).causes]


def test_failures_that_differ_in_numbers_are_one_cause() -> None:
    assert causes_of(
        ("R2", "totalPaid 0.29", "totalPaid 29.00 of ct-run-7", seen_at(1)),
        ("R2", "totalPaid 12.5", "totalPaid 1250.00 of ct-run-81", seen_at(2)),
    ) == [(["R2"], 2)]


def test_failures_of_one_kind_are_counted_however_many_there_are() -> None:
    findings = Findings()
    for number in range(9):
        findings.fails("R2", f"totalPaid {number}", f"totalPaid {number}.50", seen_at(number))
    made = report(results(findings))
    assert [one.times for row in made.clauses for one in row.failures] == [9]
    assert made.hidden == {}


def test_clauses_that_one_response_broke_are_one_cause() -> None:
    assert causes_of(("R1", "a", "b", seen_at(1)), ("R3", "c", "d", seen_at(1))) == [(["R1", "R3"], 2)]


def test_clauses_that_a_service_breaks_by_breaking_down_are_one_cause() -> None:
    assert causes_of(("R1", "200", "503 trace 1", seen_at(1)), ("R3", "404", "503 trace 2", seen_at(2))) == [
        (["R1", "R3"], 2)
    ]


def test_no_text_of_a_service_makes_the_search_for_causes_long() -> None:
    began = time.process_time()
    kind("x" * 1_000_000, "1" * 1_000_000)
    rounded("1" * 4000 + ".1" * 4000, "1." * 4000)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("400 and a sentence", "200 {}"), ("400 and another", "200 {}")),
        (("400", "200 {}"), ("400", "409 {}")),
        (("totalPaid 1", "0"), ("totalPaid 1", "null")),
    ],
    ids=["expected", "status", "words"],
)
def test_failures_that_differ_in_words_are_two_causes(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    assert causes_of(("R2", *first, seen_at(1)), ("R2", *second, seen_at(2))) == [(["R2"], 1), (["R2"], 1)]


def test_a_cause_names_every_clause_and_how_often_it_was_met() -> None:
    findings = Findings()
    findings.fails("R2", "400", "500 a", seen_at(1))
    findings.fails("P1", "200", "500 b1", seen_at(2))
    findings.fails("P1", "200", "500 b2", seen_at(3))
    lines = shown(report(results(findings))).splitlines()
    at = lines.index("R2 failed: Any other status is refused.")
    assert lines[at + 1 : at + 3] == ["  expected  400", "  got       500 a"]
    assert "P1 failed (2 times): A load is read." in lines


def test_failures_come_first_then_the_strip_then_what_differs_from_the_mock() -> None:
    out = shown(mixed())
    order = ["FAILED", "R2 failed", "R1 ok", "not tested:", "Observed to differ", "Payments"]
    places = [out.index(each) for each in order]
    assert places == sorted(places)
    assert "R1 ok R2 FAILED R3 - P1 -" in [" ".join(line.split()) for line in out.splitlines()]


def test_of_the_observations_only_those_that_differ_are_printed() -> None:
    findings = Findings()
    findings.observes("A6", "200")
    findings.observes("A7", "win")
    findings.observes("A7", "win")
    findings.observes("A7", "are ignored")
    lines = [" ".join(line.split()) for line in shown(report(results(findings))).splitlines()]
    assert "A7 New values win; are ignored are ignored" in lines
    assert not any(line.startswith("A6") for line in lines)
    assert "1 question answered as by the mock, 0 not observed; --report and --json list them all" in lines


def test_where_nothing_differs_the_observations_are_only_counted() -> None:
    out = shown(report(results(Findings())))
    assert "Observed" not in out
    assert "0 questions answered as by the mock, 2 not observed" in out


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        ("totalPaid 0.94500000000000001", "totalPaid 1", ("totalPaid 0.945", "totalPaid 1")),
        ('{"Amount":0.12500000000000001}', "x", ('{"Amount":0.125}', "x")),
        ("0.30000000000000004", "0.30000000000000001", ("0.30000000000000004", "0.30000000000000001")),
        ("2026-07-01T10:00:00.123456Z", "10.1.2.12345", ("2026-07-01T10:00:00.123456Z", "10.1.2.12345")),
        ("00:00:12.123456+01:00", "1.0.12345", ("00:00:12.123456+01:00", "1.0.12345")),
    ],
    ids=["long", "in JSON", "that differ far behind", "instants", "what is no amount"],
)
def test_amounts_are_rounded_for_people_unless_that_hides_the_failure(
    expected: str, got: str, said: tuple[str, str]
) -> None:
    assert rounded(expected, got) == said


def test_the_amount_of_a_payment_is_rounded_only_where_people_read_it() -> None:
    made = report(results(Findings(), payments=[replace(PAID, amount="0.12500000000000001")]))
    assert "0.125 (currency 840)" in shown(made)
    assert made.payments[0].amount == "0.12500000000000001"


@pytest.mark.parametrize("amount", ["1E+400000000", "NaN"])
def test_an_amount_that_no_sum_can_hold_is_printed_as_it_is(amount: str) -> None:
    assert f"{amount} (currency 840)" in shown(
        report(results(Findings(), payments=[replace(PAID, amount=amount)]))
    )


def test_what_was_used_of_the_budgets_is_known() -> None:
    doubt = replace(PAID, amount="-0.20", outcome="unknown")
    whole = results(Findings(), payments=[PAID, doubt], budget=Budget(600, None, Decimal("3.00")))
    assert [(one.what, one.phrase) for one in report(whole).spent] == [
        ("requests", "57 of 600"),
        ("payments", "2, no limit"),
        ("amount", "0.30 of 3.00"),
    ]
