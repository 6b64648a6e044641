"""The oracle on exchanges made by hand: right ones pass, and each wrong one breaks the clause it should."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from contract_tests.oracle.expectation import Expectation, LoadBefore
from contract_tests.oracle.oracle import Oracle
from contract_tests.oracle.verdict import Verdict
from contract_tests.rules.attempt import attempt_of
from contract_tests.rules.clauses import NO_REFERENCE, NOT_PAYABLE, NOT_POSITIVE
from contract_tests.rules.exchange import Exchange, Request, Response
from contract_tests.rules.responses import LoadView, load_of

Tree = dict[str, Any]
STARTED = "2026-11-20T10:00:00Z"
RECORDED = "2026-11-20T10:00:00.123456Z"
PROBLEM = "application/problem+json"
BODY: Tree = {
    "LoadNumber": "L-1",
    "Amount": {"Amount": 0.2, "Currency": 840},
    "PaymentDate": "2026-07-01T15:30:00+02:00",
    "ReferenceNumber": "R-2",
    "InvoiceNumber": "I-2",
    "PaymentMethod": "ACH",
    "CheckNumber": None,
}
OLD: Tree = {
    "Id": "p1",
    "Amount": {"Amount": 0.1, "Currency": 840},
    "CheckNumber": "1",
    "InvoiceNumber": None,
    "PaymentDate": "2026-06-01T00:00:00Z",
    "PaymentMethod": None,
    "ReferenceNumber": "R-1",
}
NEW: Tree = {
    "Id": "p2",
    "Amount": {"Amount": 0.2, "Currency": 840},
    "CheckNumber": None,
    "InvoiceNumber": "I-2",
    "PaymentDate": "2026-07-01T15:30:00+02:00",
    "PaymentMethod": "ACH",
    "ReferenceNumber": "R-2",
}


def load(*payments: Tree, status: str = "Invoiced", **fields: object) -> Tree:
    """A load with these payments."""
    total = json.loads(json.dumps(sum(round(one["Amount"]["Amount"] * 100) for one in payments) / 100))
    return {
        "Id": "l1", "LoadNumber": "L-1", "OrderNumber": "O-1", "CustomerId": "C-1", "Status": status,
        "CustomerType": [], "Stops": [], "InvoiceAs": "Customer", "Notes": [],
        "CreatedAt": "2026-01-01T00:00:00Z", "CreatedBy": "x",
        "References": [], "InvoicedAmount": {"Amount": 100, "Currency": 840},
        "paidAt": "2026-06-02T00:00:00Z" if payments else None,
        "totalPaid": {"Amount": total, "Currency": 840} if payments else None,
        "payments": list(payments) or None,
    } | fields  # fmt: skip


def view(tree: Tree) -> LoadView:
    """The load as a read shows it."""
    return load_of(Response(200, {}, json.dumps(tree).encode()).document)


def response(*payments: Tree, status: str = "Invoiced") -> Tree:
    """The 200 of the payment endpoint."""
    return {"LoadNumber": "L-1", "Status": status, "CustomerPayments": list(payments)}


def exchange(body: Tree | bytes, status: int, got: Tree | bytes, media_type: str | None = None) -> Exchange:
    """A payment request and its response."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    content = got if isinstance(got, bytes) else json.dumps(got).encode()
    headers = {"content-type": media_type or ("application/json" if status == 200 else PROBLEM)}
    request = Request(
        "POST",
        "/api/p/v1.0/invoices/customer-payments",
        headers={"Content-Type": "application/json-patch+json"},
        content=sent,
    )
    return Exchange(request, Response(status, headers, content), STARTED, 0.01)


def judged(  # noqa: PLR0913 - each is a fact of the scene
    body: Tree | bytes,
    status: int,
    got: Tree | bytes,
    *,
    before: Tree | None = None,
    after: Tree | None = None,
    exists: bool = True,
    media_type: str | None = None,
) -> Verdict:
    """The verdict of an oracle that has seen the load before."""
    seen = before if before is not None else load(OLD)
    found = exchange(body, status, got, media_type)
    if not exists:
        oracle = Oracle()
        return oracle.judge_payment(oracle.expect(attempt_of(found.request), LoadBefore(exists=False)), found)
    oracle = knowing(view(seen))
    expected = expect(oracle, found, view(seen))
    return oracle.judge_payment(expected, found, view(after if after is not None else seen))


def knowing(seen: LoadView) -> Oracle:
    """An oracle that has seen this load."""
    oracle = Oracle()
    oracle.see(seen)
    return oracle


def expect(oracle: Oracle, found: Exchange, before: LoadView) -> Expectation:
    """What an oracle expects of a payment on this load."""
    return oracle.expect(attempt_of(found.request), LoadBefore(before))


def broken(verdict: Verdict) -> set[str]:
    """The clauses that a verdict says failed."""
    return {failure.clause for failure in verdict.failures}


def paid(change: Callable[[Tree, Tree], None] = lambda _got, _after: None, **body: object) -> Verdict:
    """A new payment, rightly recorded but for the change."""
    got = copy.deepcopy(response(OLD, NEW))
    after = copy.deepcopy(load(OLD, NEW, paidAt=RECORDED))
    change(got, after)
    return judged(BODY | body, 200, got, after=after)


def problem(*sentences: str, status: int = 400) -> Tree:
    """A refusal that says these sentences."""
    return {"type": "t", "title": "x", "status": status, "errors": {"m": list(sentences)}, "traceId": "1"}


# --- a payment ----------------------------------------------------------------------------------------


def test_a_payment_as_the_contract_wants_it_breaks_nothing() -> None:
    verdict = paid()
    assert broken(verdict) == set()
    assert {"R1", "R7", "R8", "D1", "D2", "D3", "D4", "D8", "P9"} <= set(verdict.passed)


def change(path: str, value: object) -> Callable[[Tree, Tree], None]:
    """Sets a field of the response (`response.…`) or of the load after (`load.…`)."""

    def apply(got: Tree, after: Tree) -> None:
        root, *steps = path.split(".")
        node: Any = got if root == "response" else after
        for step in steps[:-1]:
            node = node[int(step)] if isinstance(node, list) else node[step]
        if isinstance(node, list):
            node[int(steps[-1])] = value
        else:
            node[steps[-1]] = value

    return apply


@pytest.mark.parametrize(
    ("path", "value", "clause"),
    [
        ("response.LoadNumber", "L-2", "D1"),
        ("response.Status", 7, "D1"),
        ("response.Status", "Completed", "D3"),
        ("response.CustomerPayments", {}, "D1"),
        ("response.CustomerPayments", [], "D4"),
        ("response.CustomerPayments", [OLD], "D4"),
        ("response.CustomerPayments", [NEW], "D4"),
        ("response.CustomerPayments", [OLD, NEW, NEW | {"Id": "p3"}], "D4"),
        ("response.CustomerPayments", [OLD, NEW, NEW], "D1"),
        ("response.CustomerPayments.0", OLD | {"CheckNumber": "2"}, "D4"),
        ("response.CustomerPayments.1", NEW | {"Id": 7}, "D1"),
        ("response.CustomerPayments.1", NEW | {"Note": "n"}, "D1"),
        ("response.CustomerPayments.1", {k: v for k, v in NEW.items() if k != "PaymentDate"}, "D1"),
        ("response.CustomerPayments.1.Amount", {"Amount": 0.3, "Currency": 840}, "D2"),
        ("response.CustomerPayments.1.Amount", {"Amount": 0.2, "Currency": 124}, "D2"),
        ("response.CustomerPayments.1.Amount", {"Amount": "0.2", "Currency": 840}, "D1"),
        ("response.CustomerPayments.1.Amount", 0.2, "D1"),
        ("response.CustomerPayments.1.ReferenceNumber", "r-2", "D2"),
        ("response.CustomerPayments.1.PaymentDate", "2026-07-02T15:30:00Z", "D2"),
        ("response.CustomerPayments.1.PaymentDate", "2026-06-30", "D2"),
        ("response.CustomerPayments.1.PaymentDate", "1st of July", "D2"),
        ("response.CustomerPayments.1.PaymentMethod", "ach", "D2"),
        ("response.CustomerPayments.1.InvoiceNumber", None, "D2"),
        ("response.CustomerPayments.1.CheckNumber", "", "D2"),
        ("load.payments", None, "R7"),
        ("load.payments", [OLD], "R7"),
        ("load.payments", [OLD | {"Amount": {"Amount": 9, "Currency": 840}}, NEW], "R7"),
        ("load.payments", [OLD, NEW | {"Amount": {"Amount": 9, "Currency": 840}}], "R7"),
        ("load.totalPaid", None, "R7"),
        ("load.totalPaid", {"Amount": 0.2, "Currency": 840}, "R7"),
        ("load.totalPaid", {"Amount": 0.31, "Currency": 840}, "R7"),
        ("load.totalPaid", {"Amount": 0.3, "Currency": 124}, "R7"),
        ("load.paidAt", None, "R7"),
        ("load.paidAt", "2026-07-01T15:30:00Z", "R7"),
        ("load.InvoicedAmount", {"Amount": 99.8, "Currency": 840}, "P9"),
    ],
)
def test_a_wrong_payment_breaks_its_clause(path: str, value: object, clause: str) -> None:
    assert clause in broken(paid(change(path, value)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("response.CustomerPayments.1.Id", "4711"),
        ("response.CustomerPayments.1.PaymentDate", "2026-07-01T13:30:00.0000000Z"),
        ("response.CustomerPayments.1.PaymentDate", "2026-07-01T15:30:00"),
        ("response.CustomerPayments.1.PaymentDate", "2026-07-01T00:00:00Z"),
        ("response.CustomerPayments.1.PaymentDate", "2026-07-01"),
        ("response.CustomerPayments.1.Amount", {"Amount": 0.20, "Currency": 840.0, "Formatted": "$0.20"}),
        ("response.CustomerPayments", [NEW, OLD]),
        ("response.TotalPaid", {"Amount": 1, "Currency": 1}),
        ("load.totalPaid", {"Amount": 0.30000000000000004, "Currency": 840}),
        (
            "load.payments",
            [{"Id": one["Id"], "Amount": one["Amount"], "PaidAt": RECORDED} for one in (OLD, NEW)],
        ),
        ("load.paidAt", "2026-06-02T00:00:00Z"),
        ("load.UpdatedAt", RECORDED),
        ("load.Etag", "7"),
    ],
)
def test_what_the_contract_leaves_open_breaks_nothing(path: str, value: object) -> None:
    def apply(got: Tree, after: Tree) -> None:
        change(path, value)(got, after)
        if path == "response.CustomerPayments.1.Id":
            after["payments"] = [OLD, NEW | {"Id": value}]

    assert broken(paid(apply)) == set()


def test_a_status_may_change_with_a_payment() -> None:
    def completes(got: Tree, after: Tree) -> None:
        got["Status"] = after["Status"] = "Completed"

    verdict = paid(completes)
    assert broken(verdict) == set()
    assert ("A12a", "Completed") in verdict.observations


def test_capital_names_of_payment_fields_are_read() -> None:
    def rename(_got: Tree, after: Tree) -> None:
        for name in ("paidAt", "totalPaid", "payments"):
            after[name[0].upper() + name[1:]] = after.pop(name)

    assert broken(paid(rename)) == set()


def test_a_total_that_doubles_added_is_observed() -> None:
    verdict = paid(change("load.totalPaid", {"Amount": 0.30000000000000004, "Currency": 840}))
    assert ("A20a", "off by less than a cent") in verdict.observations


def test_precise_amounts_may_be_rounded_but_not_replaced() -> None:
    def amounts(value: float) -> Callable[[Tree, Tree], None]:
        return change("response.CustomerPayments.1.Amount", {"Amount": value, "Currency": 840})

    precise = {"Amount": 0.2049, "Currency": 840}
    assert "D2" not in broken(paid(amounts(0.2), Amount=precise))
    assert "D2" in broken(paid(amounts(0.3), Amount=precise))


def test_an_empty_text_may_come_back_as_null_but_not_as_another() -> None:
    def method(value: str | None) -> Callable[[Tree, Tree], None]:
        return change("response.CustomerPayments.1.PaymentMethod", value)

    assert "D2" not in broken(paid(method(None), PaymentMethod=""))
    assert "D2" in broken(paid(method("x"), PaymentMethod=""))


def test_a_completed_load_that_is_paid_takes_payments_or_says_why() -> None:
    done = load(OLD, status="Completed", InvoicedAmount={"Amount": 0.1, "Currency": 840})
    assert broken(judged(BODY, 400, problem("It is more than what is open."), before=done)) == set()
    assert broken(judged(BODY, 404, problem("Gone."), before=done)) == {"R1"}
    assert broken(judged(BODY, 400, problem(NOT_PAYABLE), before=done)) == {"R1"}


# --- refusals -----------------------------------------------------------------------------------------

ZERO = BODY | {"Amount": {"Amount": 0, "Currency": 840}}
NAMELESS = {name: value for name, value in BODY.items() if name != "ReferenceNumber"}
DATELESS = {name: value for name, value in BODY.items() if name != "PaymentDate"}


@pytest.mark.parametrize("form", ["errors", "detail", "camel", "text", "string"])
@pytest.mark.parametrize(("body", "sentence"), [(ZERO, NOT_POSITIVE), (NAMELESS, NO_REFERENCE)])
def test_a_sentence_may_be_anywhere(body: Tree, sentence: str, form: str) -> None:
    forms: dict[str, tuple[Tree | bytes, str]] = {
        "errors": (problem(f"Sorry. {sentence}"), PROBLEM),
        "detail": ({"title": "Bad Request", "detail": sentence}, "application/json"),
        "camel": ({"errors": {"amount": sentence}}, "application/json"),
        "text": (sentence.encode(), "text/plain"),
        "string": (json.dumps(sentence).encode(), "application/json"),
    }
    got, media_type = forms[form]
    assert broken(judged(body, 400, got, media_type=media_type)) == set()


@pytest.mark.parametrize(
    ("body", "status", "got", "clause"),
    [
        (ZERO, 200, response(OLD, NEW), "R4"),
        (ZERO, 400, problem("Amount is wrong."), "R4"),
        (ZERO, 422, problem(NOT_POSITIVE), "R4"),
        (NAMELESS, 200, response(OLD, NEW), "R5"),
        (NAMELESS, 400, problem("Reference?"), "R5"),
        (BODY | {"ReferenceNumber": ""}, 404, problem(NO_REFERENCE), "R5"),
        (DATELESS, 200, response(OLD, NEW), "D5"),
        (BODY | {"CheckNumber": [7]}, 200, response(OLD, NEW), "D7"),
        (b"[]", 200, response(OLD, NEW), "D7"),
        (BODY, 400, problem("No."), "R1"),
        (BODY, 404, problem("No."), "R1"),
        (BODY, 400, problem(NOT_PAYABLE), "R1"),
        (BODY, 302, b"", "D8"),
        (BODY, 201, response(OLD, NEW), "D8"),
        (BODY, 400, b"{", "R8"),
        ({"x": 1}, 400, b"{", "R8"),
    ],
)
def test_a_wrong_refusal_breaks_its_clause(
    body: Tree | bytes, status: int, got: Tree | bytes, clause: str
) -> None:
    assert clause in broken(judged(body, status, got))


def test_a_response_must_be_json() -> None:
    assert "R8" in broken(judged(BODY, 200, response(OLD, NEW), media_type="text/plain"))


def test_several_errors_ask_for_no_sentence() -> None:
    assert broken(judged(NAMELESS | {"Amount": None}, 400, problem("?"))) == set()


@pytest.mark.parametrize(
    "after",
    [
        load(OLD, NEW), load(OLD, status="Completed"), load(OLD, paidAt=RECORDED),
        load(OLD, UpdatedAt=RECORDED),
        load(OLD, totalPaid={"Amount": 9, "Currency": 840}), load(OLD | {"PaymentMethod": "x"}),
        load(OLD, InvoicedAmount=None),
    ],
)  # fmt: skip
def test_a_refusal_that_leaves_a_trace_breaks_its_clause(after: Tree) -> None:
    assert broken(judged(ZERO, 400, problem(NOT_POSITIVE), after=after)) == {"R4"}


@pytest.mark.parametrize("status", ["Dispatched", "Paid", "Queued"])
def test_the_gate(status: str) -> None:
    closed = load(OLD, status=status)
    assert broken(judged(BODY, 400, problem(NOT_PAYABLE), before=closed)) == set()
    assert broken(judged(BODY, 400, problem("Closed."), before=closed)) == {"R2"}
    assert broken(judged(BODY, 409, problem(NOT_PAYABLE), before=closed)) == {"R2"}
    assert "R2" in broken(judged(BODY, 200, response(OLD, NEW), before=closed))


def test_an_unknown_load() -> None:
    assert broken(judged(BODY, 404, problem(status=404), exists=False)) == set()
    assert broken(judged(BODY, 400, problem(), exists=False)) == {"R3"}
    assert broken(judged(BODY, 200, response(NEW), exists=False)) == {"R3"}
    assert broken(judged(ZERO, 404, problem(status=404), exists=False)) == set()


@pytest.mark.parametrize(
    "body",
    [
        BODY | {"PaymentDate": "2026-07-01T15:30:00"},
        BODY | {"Extra": 1},
        BODY | {"Amount": {"Amount": 0.2, "Currency": 999}},
        BODY | {"Amount": {"Amount": "0.2", "Currency": 840}},
        BODY | {"Amount": {"Amount": 200, "Currency": 840}},
        BODY | {"ReferenceNumber": " "},
        BODY | {"Note": "x" * 5000},
    ],
)
def test_what_is_open_may_be_refused(body: Tree) -> None:
    assert broken(judged(body, 400, problem("No."))) == set()


OTHER = load(OLD | {"Id": "p9", "InvoiceNumber": "I-2"}, LoadNumber="L-2", Id="l2")


@pytest.mark.parametrize(("invoice", "clauses"), [("I-2", set()), ("i-2 ", set()), ("I-3", {"R1"})])
def test_an_invoice_may_belong_to_one_load(invoice: str, clauses: set[str]) -> None:
    oracle, seen = knowing(view(load(OLD))), view(load(OLD))
    oracle.see(view(OTHER))
    refused = exchange(BODY | {"InvoiceNumber": invoice}, 422, problem("No.", status=422))
    assert broken(oracle.judge_payment(expect(oracle, refused, seen), refused, seen)) == clauses


@pytest.mark.parametrize(("reference", "is_told"), [("R-2", True), ("R-9", False)])
def test_what_is_refused_for_its_reference_tells_nothing_of_overpayments(
    reference: str, *, is_told: bool
) -> None:
    oracle, seen = knowing(view(load(OLD))), view(load(OLD))
    oracle.see(view(load(OLD | {"Id": "p9", "ReferenceNumber": "R-9"}, LoadNumber="L-2", Id="l2")))
    body = BODY | {"Amount": {"Amount": 200, "Currency": 840}, "ReferenceNumber": reference}
    refused = exchange(body, 409, problem("No.", status=409))
    verdict = oracle.judge_payment(expect(oracle, refused, seen), refused, seen)
    assert (("A13", "409") in verdict.observations) is is_told


# --- replays ------------------------------------------------------------------------------------------

AGAIN = {
    "LoadNumber": "L-1", "Amount": OLD["Amount"], "PaymentDate": OLD["PaymentDate"], "ReferenceNumber": "R-1",
    "CheckNumber": "1",
}  # fmt: skip
CHANGED = AGAIN | {"PaymentMethod": "Wire"}


@pytest.mark.parametrize("body", [AGAIN, CHANGED])
def test_a_replay_returns_the_original(body: Tree) -> None:
    verdict = judged(body, 200, response(OLD))
    assert broken(verdict) == set()
    assert "R6" in verdict.passed


@pytest.mark.parametrize(
    ("status", "got", "after"),
    [
        (200, response(OLD, NEW | {"ReferenceNumber": "R-1"}), load(OLD, NEW)),
        (200, response(OLD | {"Id": "p9"}), load(OLD | {"Id": "p9"})),
        (200, response(OLD | {"PaymentMethod": "Wire"}), load(OLD)),
        (200, response(), load(OLD)),
        (200, response(OLD), load(OLD, totalPaid={"Amount": 0.2, "Currency": 840})),
        (200, response(OLD), load(OLD, NEW)),
        (409, problem("Conflict"), load(OLD)),
    ],
)
def test_a_wrong_replay_breaks_r6(status: int, got: Tree, after: Tree) -> None:
    assert "R6" in broken(judged(AGAIN, status, got, after=after))


def test_a_replay_of_what_was_recorded_in_another_currency_must_be_recognised_too() -> None:
    oracle, seen = Oracle(), view(load())
    body = BODY | {"Amount": {"Amount": 0.2, "Currency": 978}}
    recorded = NEW | {"Amount": body["Amount"]}
    first = exchange(body, 200, response(recorded))
    oracle.judge_payment(expect(oracle, first, seen), first)
    again = exchange(body, 409, problem("Conflict"))
    assert broken(oracle.judge_payment(expect(oracle, again, seen), again)) == {"R6"}


def test_a_replay_that_records_again_shows_it_in_its_response() -> None:
    seen = view(load(OLD))
    oracle = knowing(seen)
    found = exchange(AGAIN, 200, response(OLD, NEW | {"ReferenceNumber": "R-1"}))
    assert broken(oracle.judge_payment(expect(oracle, found, seen), found)) == {"R6"}


def test_a_success_among_others_shows_its_own_payment() -> None:
    oracle = Oracle()
    without = exchange(BODY, 200, response(OLD))
    expected = expect(oracle, without, view(load(OLD)))
    assert broken(oracle.judge_payment(expected, without, alone=False)) == {"D4"}
    with_it = exchange(BODY, 200, response(OLD, NEW))
    assert broken(oracle.judge_payment(expected, with_it, alone=False)) == set()


def test_a_replay_changes_nothing_else() -> None:
    after = load(OLD, InvoicedAmount={"Amount": 1, "Currency": 840})
    assert broken(judged(AGAIN, 200, response(OLD), after=after)) == {"P9"}


def test_a_changed_replay_may_be_refused_but_leaves_no_trace() -> None:
    verdict = judged(CHANGED, 409, problem("Conflict"))
    assert broken(verdict) == set()
    assert ("A7b", "409") in verdict.observations
    assert broken(judged(CHANGED, 409, problem("Conflict"), after=load(OLD, NEW))) == {"R6"}


def test_a_replay_on_a_load_that_closed_may_go_either_way() -> None:
    closed = load(OLD, status="Paid")
    assert broken(judged(AGAIN, 200, response(OLD, status="Paid"), before=closed)) == set()
    assert broken(judged(AGAIN, 400, problem(NOT_PAYABLE), before=closed)) == set()


@pytest.mark.parametrize("reference", ["r-1", " R-1", "R-1 ", "\uff32-1"])
def test_a_near_reference_may_be_another_payment_or_the_same(reference: str) -> None:
    body = BODY | {"ReferenceNumber": reference}
    other = NEW | {"ReferenceNumber": reference}
    assert broken(judged(body, 200, response(OLD, other), after=load(OLD, other, paidAt=RECORDED))) == set()
    assert broken(judged(body, 200, response(OLD))) == set()


def test_a_refused_reference_is_observed_when_it_is_paid() -> None:
    seen = view(load(OLD))
    oracle = knowing(seen)
    zero = exchange(ZERO | {"ReferenceNumber": "R-2"}, 400, problem(NOT_POSITIVE))
    oracle.judge_payment(expect(oracle, zero, seen), zero, seen)
    paid = exchange(BODY, 200, response(OLD, NEW))
    after = view(load(OLD, NEW, paidAt=RECORDED))
    verdict = oracle.judge_payment(expect(oracle, paid, seen), paid, after)
    assert ("A21", "is not used up") in verdict.observations


# --- reads, and what must not be sent lightly ---------------------------------------------------------


def read(tree: Tree, known: Tree | None = None, number: str = "L-1") -> set[str]:
    """The clauses that a read breaks."""
    verdict, _ = Oracle().judge_read(answered(tree, number), view(known) if known else None)
    return broken(verdict)


def answered(tree: Tree, number: str = "L-1") -> Exchange:
    """A read that shows this load."""
    request = Request("GET", "/api/p/v1.0/loads", (("loadNumber", number),))
    response = Response(200, {"content-type": "application/json"}, json.dumps(tree).encode())
    return Exchange(request, response, STARTED, 0.01)


def test_a_read_shows_the_load_as_it_was_left() -> None:
    assert read(load(OLD), load(OLD)) == set()
    assert read(load(OLD, NEW), load(OLD)) == {"P9"}
    assert read(load(), number="L-2") == {"P1"}


@pytest.mark.parametrize(
    "fields",
    [
        {"Status": "Lost"}, {"Id": None}, {"OrderNumber": 7}, {"paidAt": "today"}, {"totalPaid": 7},
        {"payments": [{"Id": "x"}]}, {"payments": [OLD, OLD]},
    ],
)  # fmt: skip
def test_a_load_has_the_published_form(fields: Tree) -> None:
    assert read(load() | fields) == {"P4"}


EUROS = NEW | {"Amount": {"Amount": 5, "Currency": 978}}
NO_CURRENCY = NEW | {"Amount": {"Amount": 0.2, "Currency": 0}}
FINE = NEW | {"Amount": {"Amount": 0.2049, "Currency": 840}}
BRIEF = {"Id": "p3", "Amount": {"Amount": 0.3, "Currency": 840}, "PaidAt": "2026-06-03T00:00:00Z"}


def total(amount: float) -> Tree:
    return {"totalPaid": {"Amount": amount, "Currency": 840}}


@pytest.mark.parametrize(
    ("tree", "clauses"),
    [
        (load(OLD, NEW), set()),
        (load(OLD, NEW) | {"totalPaid": None}, set()),
        (load(OLD, EUROS) | total(0.1), set()),
        (load(OLD, EUROS) | total(5.1), set()),
        (load(OLD, NO_CURRENCY) | total(0.3), set()),
        (load(OLD, FINE) | total(0.3), set()),
        (load(OLD, NEW) | total(0.30000000000000004), set()),
        (load(OLD, BRIEF) | total(0.4), set()),
        (load() | total(0), set()),
        (load(OLD, NEW | {"ReferenceNumber": "R-1"}), {"R6"}),
        (load(OLD, NEW) | {"paidAt": None}, {"R7"}),
        (load(OLD, NEW) | total(0.2), {"R7"}),
        (load(OLD, NEW) | total(0.31), {"R7"}),
        (load(OLD, FINE) | total(0.32), {"R7"}),
        (load(OLD, EUROS) | total(5), {"R7"}),
    ],
)
def test_what_is_recorded_already_adds_up(tree: Tree, clauses: set[str]) -> None:
    assert read(tree) == clauses


def test_what_is_recorded_already_is_judged_once() -> None:
    oracle = Oracle()
    exchange = answered(load(OLD, NEW) | total(9))
    assert broken(oracle.judge_read(exchange, None)[0]) == {"R7"}
    assert broken(oracle.judge_read(exchange, None)[0]) == set()


def test_values_beyond_measure_are_read() -> None:
    huge = NEW | {"Amount": {"Amount": 1.7e308, "Currency": 10**300}}
    assert "D1" not in broken(judged(BODY, 200, response(OLD, huge), after=load(OLD, NEW)))


@pytest.mark.parametrize(
    "content",
    [
        {"CheckNumber": 7}, {"Note": True}, {"ReferenceNumber": 7}, {"PaymentDate": 7},
        {"PaymentDate": "2026-07-01"},
        {"Amount": {"Amount": "12.5", "Currency": 840}}, {"Amount": {"Amount": "5 USD", "Currency": 840}},
        {"Amount": {"Amount": True, "Currency": 840}}, {"Amount": {"Amount": 1, "Currency": "840"}},
        {"Amount": {"Amount": 1, "Currency": 840.5}}, {"Amount": {"Amount": 1}},
        {"Amount": {"Amount": 1, "Currency": None}},
    ],
)  # fmt: skip
def test_what_a_lenient_reader_converts_may_be_refused_or_paid(content: Tree) -> None:
    assert broken(judged(BODY | content, 400, problem("?"))) == set()
    assert not expect(Oracle(), exchange(BODY | content, 200, b""), view(load())).forbidding


SENT = json.dumps(BODY)


@pytest.mark.parametrize(
    "content",
    [
        f"// a comment\n{SENT}", SENT[:-1] + ",}", SENT + "}", SENT.replace('"', "'"),
        SENT.replace("0.2", ".2"), SENT.replace("0.2", "NaN"), SENT.replace("0.2", "00.2"),
        "\ufeff" + SENT, SENT.encode("utf-16"),
        SENT.encode("utf-16-le"), SENT.replace("ACH", "\xff").encode("latin-1"),
    ],
)  # fmt: skip
def test_what_a_lenient_reader_takes_for_json_may_be_refused_or_paid(content: str | bytes) -> None:
    body = content if isinstance(content, bytes) else content.encode()
    assert broken(judged(body, 400, problem("?"))) == set()
    assert not expect(Oracle(), exchange(body, 200, b""), view(load())).forbidding


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"null", b"[]", b"payment", f"[{SENT}]".encode(), SENT[:-1].encode(), b"// only this"],
)
def test_a_body_without_an_object_is_forbidden_but_ends_no_run(body: bytes) -> None:
    expected = expect(Oracle(), exchange(body, 200, b""), view(load()))
    assert (expected.clause, expected.must_be_refused) == ("D7", False)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(problem("?"), "application/problem+json"), (b"<!doctype html><h1>Server error", "text/html")],
)
def test_one_failure_of_the_service_is_no_failure_of_a_clause(content: bytes, media_type: str) -> None:
    once = exchange(BODY, 500, content, media_type=media_type)
    assert broken(Oracle().judge(once)) == set()
    assert broken(Oracle().judge(replace(once, earlier=(500,)))) == {"D8"}


@pytest.mark.parametrize(
    "doubtful", [SENT.encode("utf-16"), BODY | {"PaymentDate": "2026-07-01T00:00:00+24:00"}]
)
def test_what_makes_common_parsers_fail_may_fail_again(doubtful: Tree | bytes) -> None:
    oracle, found = Oracle(), replace(exchange(doubtful, 500, b""), earlier=(500,))
    assert broken(oracle.judge_payment(expect(oracle, found, view(load())), found)) == set()


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502])
def test_what_must_be_refused_leaves_no_trace_whatever_is_answered(status: int) -> None:
    assert broken(judged(DATELESS, status, b"", after=load(OLD, NEW))) == {"D5"}
    assert broken(judged(DATELESS, status, b"")) == set()


@pytest.mark.parametrize("status", [401, 403, 429])
def test_what_tells_of_the_caller_breaks_nothing(status: int) -> None:
    assert broken(judged(BODY, status, b"<html>", media_type="text/html")) == set()


def test_the_total_grows_by_what_the_response_shows() -> None:
    rounded = NEW | {"Amount": {"Amount": 0.13, "Currency": 840}}
    body = BODY | {"Amount": {"Amount": 0.125, "Currency": 840}}
    verdict = judged(body, 200, response(OLD, rounded), after=load(OLD, rounded, paidAt=RECORDED))
    assert broken(verdict) == set()
    assert ("A20c", "rounded to cents") in verdict.observations


@pytest.mark.parametrize("total", [0.3, 0.2])
def test_a_load_with_payments_may_have_had_no_total(total: float) -> None:
    after = load(OLD, NEW, paidAt=RECORDED, totalPaid={"Amount": total, "Currency": 840})
    assert (
        broken(judged(BODY, 200, response(OLD, NEW), before=load(OLD, totalPaid=None), after=after)) == set()
    )


def test_date_times_of_a_load_may_lack_their_offset() -> None:
    assert broken(paid(change("load.paidAt", "2026-11-20T10:00:00"))) == set()
    assert "R7" in broken(paid(change("load.paidAt", "2026-11-10T10:00:00")))


def test_null_and_absent_are_the_same() -> None:
    brief = {name: value for name, value in NEW.items() if value is not None}
    verdict = judged(BODY, 200, response(OLD, brief), after=load(OLD, NEW, paidAt=RECORDED))
    assert broken(verdict) == set()


@pytest.mark.parametrize(
    ("body", "status", "exists", "must"),
    [
        (BODY, "Invoiced", True, False),
        (ZERO, "Invoiced", True, True),
        (BODY, "Paid", True, True),
        (BODY, "Invoiced", False, True),
        (AGAIN, "Paid", True, False),
        (BODY | {"PaymentDate": "2026-07-01"}, "Invoiced", True, False),
    ],
)
def test_what_must_be_refused_is_known_before_it_is_sent(
    body: Tree, status: str, *, exists: bool, must: bool
) -> None:
    seen = view(load(OLD, status=status))
    attempt = attempt_of(exchange(body, 200, b"").request)
    known = LoadBefore(seen) if exists else LoadBefore(exists=False)
    assert knowing(seen).expect(attempt, known).must_be_refused == must
