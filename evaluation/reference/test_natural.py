"""What the reference implementation takes and shows when it is of another stack."""

from dataclasses import replace
from decimal import Decimal

import pytest

from evaluation.reference.freedoms import JULY, NATURAL, WITH_TOKENS, Freedoms
from evaluation.reference.loads import opening_loads
from evaluation.reference.messages import (
    ABSENT,
    DISPATCHED,
    FIRST_TOKEN,
    GET_TOKEN,
    INVOICED,
    MISSING,
    Clock,
    Pause,
    Received,
    Sent,
    authorized,
    exchange,
    pay,
    raw,
    read,
    search,
)
from evaluation.reference.service import Service

BODY = pay().content.decode()


def natural(*requests: Sent | Pause, freedoms: Freedoms = NATURAL) -> list[Received]:
    clock = Clock()
    return exchange(Service(opening_loads(), freedoms, clock), requests, clock)


@pytest.mark.parametrize(
    ("field", "sent", "kept"),
    [
        ("CheckNumber", "7", "7"),
        ("CheckNumber", "7.5", "7.5"),
        ("CheckNumber", "true", "true"),
        ("CheckNumber", "NaN", "NaN"),
        ("CheckNumber", "'single'", "single"),
        ("PaymentDate", '"2026-07-01"', "2026-07-01T00:00:00Z"),
        ("PaymentDate", '"2026-07-01 15:30"', "2026-07-01T15:30:00Z"),
        ("PaymentDate", '"2026-07-01T15:30:10"', "2026-07-01T15:30:10Z"),
        ("PaymentDate", '" 2026-07-01T15:30:00+02 "', "2026-07-01T13:30:00Z"),
    ],
)
def test_natural_server_converts_a_text(field: str, sent: str, kept: str) -> None:
    body = f'{BODY[:-1]},"{field}":{sent}}}'
    (response,) = natural(raw(body.encode()))
    assert (response.status, response.paid(0, field)) == (200, kept)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [('"12.5"', "12.5"), ('"1,000"', "1000"), (".01", "0.01"), ("1e0", "1"), ("0x10", "16"), ("5.", "5")],
)
def test_natural_server_converts_an_amount(sent: str, kept: str) -> None:
    (response,) = natural(raw(BODY.replace("10.50", sent).encode()))
    assert response.paid(0, "Amount", "Amount") == Decimal(kept)


@pytest.mark.parametrize(
    "fields",
    [
        {"CheckNumber": []},
        {"CheckNumber": {}},
        {"Number": "ten"},
        {"Number": True},
        {"Number": "NaN"},
        {"Number": ""},
        {"Number": Decimal("1e29")},
        {"Currency": Decimal("840.0")},
        {"Currency": Decimal("840.5")},
        {"Currency": True},
        {"Currency": 2**31},
        {"PaymentDate": 7},
        {"PaymentDate": "yesterday"},
        {"PaymentDate": "2026-02-30"},
        {"PaymentDate": "2026-07-01T00:00:00+24:00"},
    ],
    ids=str,
)
def test_natural_server_refuses_what_it_cannot_convert(fields: dict[str, object]) -> None:
    (response,) = natural(pay(**fields))
    assert response.status == 400


@pytest.mark.parametrize(
    "content",
    [
        BODY.replace('"', "'"),
        f"// a comment\n{BODY}",
        f"{BODY[:-1]},}}",
        f"{BODY}}}",
        BODY.replace("LoadNumber", "lOADnUMBER"),
        BODY.replace("{", '{"ReferenceNumber":"R-0",', 1),
        BODY.replace(INVOICED, INVOICED.lower()),
        BODY.replace(',"Currency":840', ""),
        BODY.replace("840", '"840"'),
        BODY.replace("840", '""'),
    ],
)
def test_natural_server_reads_the_same_payment(content: str) -> None:
    (response,) = natural(raw(content.encode()))
    assert (response.status, response.at("LoadNumber")) == (200, INVOICED)
    assert response.paid(0, "ReferenceNumber") == "R-1"


def test_natural_server_reads_utf16_and_refuses_what_is_no_text() -> None:
    wide, broken = natural(raw(BODY.encode("utf-16")), raw(BODY.replace("R-1", "R-2\xff").encode("latin-1")))
    assert (wide.status, broken.status) == (200, 400)


def test_other_parts_of_a_body_are_refused_as_ever() -> None:
    for content in (b"", b"[]", b"null", b'{"LoadNumber": ', b"[" * 100_000, b"{'a': " * 5_000):
        assert natural(raw(content))[0].status == 400


def test_errors_are_keyed_as_aspnet_does() -> None:
    several, gate = natural(pay(ReferenceNumber="", Number=-1), pay(LoadNumber=DISPATCHED))
    assert several.at("errors") == {
        "Amount.Amount": ["Amount must be greater than zero."],
        "ReferenceNumber": ["The ReferenceNumber field is required."],
    }
    assert gate.at("errors") == {"": ["Load must be in one of: Invoiced, Completed, Financed."]}
    (path,) = natural(pay(Number="ten"), freedoms=replace(NATURAL, error_form="json_path"))
    assert path.at("errors") == {
        "$.Amount.Amount": ["The Amount field must be a number."],
        "request": ["The request field is required."],
    }


@pytest.mark.parametrize(
    ("amounts", "kept"),
    [
        ("double", Decimal("0.12345678901234568")),
        ("dotnet", Decimal("0.1234567890123456789012345679")),
        ("two_digits", Decimal("0.12")),
        ("four_digits", Decimal("0.1235")),
    ],
)
def test_amount_is_kept_as_the_switch_says(amounts: str, kept: Decimal) -> None:
    sent = pay(Number=Decimal("0.12345678901234567890123456789"))
    paid, load = natural(sent, read(), freedoms=replace(Freedoms(), amounts=amounts))  # type: ignore[arg-type]
    assert paid.paid(0, "Amount", "Amount") == load.at("totalPaid", "Amount") == kept


def test_doubles_are_summed_as_doubles() -> None:
    three = [pay(Number=Decimal("0.1"), ReferenceNumber=f"R-{n}") for n in range(3)]
    assert natural(*three, read(), freedoms=Freedoms(amounts="double"))[-1].at(
        "totalPaid", "Amount"
    ) == Decimal("0.30000000000000004")


@pytest.mark.parametrize(
    ("kept", "form", "date"),
    [
        ("sql", "utc_z", "2026-07-02T05:15:10.257Z"),
        ("second", "as_sent", "2026-07-02T05:15:10Z"),
        ("day", "as_sent", "2026-07-02T00:00:00Z"),
        ("exact", "utc_naive", "2026-07-02T05:15:10.2561"),
        ("second", "local_naive", "2026-07-01T23:45:10"),
    ],
)
def test_date_is_kept_as_the_switches_say(kept: str, form: str, date: str) -> None:
    freedoms = replace(Freedoms(), date_kept=kept, payment_date=form)  # type: ignore[arg-type]
    paid, load = natural(pay(PaymentDate="2026-07-01T23:45:10.2561-05:30"), read(), freedoms=freedoms)
    assert paid.paid(0, "PaymentDate") == date
    assert str(load.at("paidAt")).endswith("Z") == form.endswith(("z", "sent"))


def test_load_is_found_by_the_date_that_it_shows() -> None:
    freedoms = Freedoms(payment_date="utc_naive")
    created = str(natural(read(), freedoms=freedoms)[0].at("CreatedAt"))
    span = {"Start": created, "End": created}
    (found,) = natural(search(LoadNumbers=[INVOICED], DateRange=span), freedoms=freedoms)
    assert (created[-1], found.at("Total")) == ("0", 1)


def test_nulls_are_left_out() -> None:
    paid, load = natural(pay(), read(DISPATCHED), freedoms=Freedoms(nulls="omitted"))
    assert paid.paid(0, "CheckNumber") is MISSING
    assert load.at("paidAt") is MISSING


def test_load_shows_a_payment_a_second_and_a_half_after_the_response() -> None:
    second = pay(ReferenceNumber="R-2", Number=2000)
    found = search(LoadNumbers=[INVOICED])
    requests = (pay(), Pause(1), second, Pause(0.4), read(), Pause(0.2), read(), found, Pause(1), read())
    paid, again, none, one, searched, both = natural(*requests, freedoms=Freedoms(lag_milliseconds=1500))
    assert (paid.count(), again.count(), again.at("Status")) == (1, 2, "Completed")
    assert (none.at("payments"), none.at("Status")) == (None, "Invoiced")
    assert one.count("payments") == 1
    assert searched.at("Items", 0) == one.body
    assert (both.count("payments"), both.at("Status")) == (2, "Completed")


def test_july_shows_an_id_and_totals() -> None:
    other = pay(ReferenceNumber="R-2", Currency=ABSENT)
    first, repeat, second, load, gate = natural(
        pay(), pay(), other, read(), pay(LoadNumber=DISPATCHED), freedoms=JULY
    )
    assert isinstance(first.body, dict)
    assert list(first.body) == ["Id", "LoadNumber", "Status", "TotalPaid", "TotalBillable"]
    assert first.body == repeat.body
    assert second.at("TotalPaid") == load.at("TotalPaid") == {"Amount": Decimal("21.00"), "Currency": 840}
    assert load.each("Id", of="Payments") == [first.at("Id"), second.at("Id")]
    shown = load.at("Payments", 0)
    assert isinstance(shown, dict)
    assert set(shown) == {"Amount", "Id", "PaidAt"}
    assert load.at("LoadType") is not MISSING
    assert load.at("Stops", 0, "$type") == "pickup"
    assert (gate.status, gate.media_type) == (400, "application/json")


def test_tokens_are_asked_for_on_every_operation_and_end() -> None:
    requests = (pay(), read(), search(LoadNumbers=[INVOICED]))
    allowed = [authorized(one, f"Bearer {FIRST_TOKEN}") for one in requests]
    freedoms = Freedoms(tokens="for_a_minute")
    received = natural(*requests, GET_TOKEN, *allowed, Pause(61), *allowed, freedoms=freedoms)
    assert [one.status for one in received] == [401] * 3 + [200] * 4 + [401] * 3
    assert received[3].at("expires_in") == 60


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x", f"Basic {FIRST_TOKEN}", FIRST_TOKEN])
def test_nothing_but_a_token_is_let_in(authorization: str) -> None:
    _, refused = natural(GET_TOKEN, authorized(pay(), authorization), freedoms=WITH_TOKENS)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
