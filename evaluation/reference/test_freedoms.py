"""Each switch of the reference implementation does something; else the suites would be green for nothing."""

import re
from dataclasses import fields, replace
from decimal import Decimal
from functools import cache
from typing import get_args, get_type_hints

import pytest

from evaluation.reference.freedoms import COMBINATIONS, Freedoms
from evaluation.reference.loads import opening_loads
from evaluation.reference.messages import (
    ABSENT,
    FINANCED,
    GET_TOKEN,
    INVOICED,
    INVOICED_CAD,
    Clock,
    Pause,
    exchange,
    pay,
    raw,
    read,
    read_by,
    search,
    search_invoices,
)
from evaluation.reference.service import Service

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BODY = pay().content
REQUESTS = (
    GET_TOKEN,
    read(),
    pay(PaymentDate="2026-07-01T15:30:00+02:00"),
    pay(PaymentDate="2026-07-01T15:30:00.25Z", ReferenceNumber="r-1"),
    pay(InvoiceNumber="I-1", ReferenceNumber="R-17"),
    pay(InvoiceNumber="I-1", ReferenceNumber="R-18", LoadNumber=INVOICED_CAD, Currency=124),
    pay(ReferenceNumber="R-1 "),
    pay(Number=11),
    pay(LoadNumber=INVOICED_CAD, Currency=124),
    pay(ReferenceNumber="R-2", Currency=999),
    read(),
    pay(ReferenceNumber="", Number=0),
    pay(LoadNumber=" "),
    pay(ReferenceNumber="R-3", PaymentDate="2026-07-01"),
    pay(ReferenceNumber="R-4", Extra=1),
    pay(ReferenceNumber="R-5", Note="\0"),
    raw(BODY.replace(b"{", b'{"Note":"x","Note":"x",', 1)),
    raw(BODY.replace(b"LoadNumber", b"loadNumber")),
    pay().typed("text/plain"),
    pay().to("/api/p/v9/invoices/customer-payments"),
    read_by(loadNumber=" "),
    search(LoadNumbers=["nope"]),
    search(LoadNumbers=[INVOICED_CAD.lower()]),
    pay(LoadNumber=INVOICED.lower(), ReferenceNumber="R-7"),
    pay(Number=Decimal("0.00004"), ReferenceNumber="R-8"),
    pay(Number=Decimal("0.1234567890123456789012345678901"), ReferenceNumber="R-9"),
    pay(Number=Decimal("1e30"), ReferenceNumber="R-10", LoadNumber=FINANCED),
    pay(Number="1,000.5", Currency="840", CheckNumber=7, ReferenceNumber="R-11"),
    pay(Currency=ABSENT, ReferenceNumber="R-12"),
    pay(Amount=[], ReferenceNumber="R-13"),
    raw(BODY.replace(b"R-1", b"R-14")[:-1] + b",} and more"),
    raw(BODY.replace(b"R-1", b"R-15").decode().encode("utf-16-le")),
    raw(BODY.replace(b"R-1", b"R-16\xff")),
    pay(ReferenceNumber="R-6", Number=5000),
    pay(),
    read(),
    Pause(2),
    read(),
    search_invoices(Status=["AwaitingPayment"]),
)
SWITCHES = {
    switch.name: get_args(get_type_hints(Freedoms)[switch.name]) or (False, True)
    for switch in fields(Freedoms)
}


class Still(Service):
    """A service that says the same whenever it is asked the same."""

    def trace_id(self) -> str:
        return "trace"

    def now(self) -> str:
        self.issued += 1
        return f"2026-08-01T00:00:{self.issued:02}Z"


@cache
def said(freedoms: Freedoms) -> list[tuple[int, str, str]]:
    clock = Clock()
    return [
        (response.status, response.media_type, UUID.sub("uuid", response.text))
        for response in exchange(Still(opening_loads(), freedoms, clock), REQUESTS, clock)
    ]


@pytest.mark.parametrize(
    ("switch", "position"), [(switch, position) for switch in SWITCHES for position in SWITCHES[switch]]
)
def test_every_position_is_told_from_the_others_in_some_combination(switch: str, position: object) -> None:
    taking = [freedoms for freedoms in COMBINATIONS.values() if getattr(freedoms, switch) == position]
    assert any(
        all(
            said(freedoms) != said(replace(freedoms, **{switch: other}))
            for other in SWITCHES[switch]
            if other != position
        )
        for freedoms in taking
    )


def test_same_freedoms_say_the_same() -> None:
    """Otherwise the test above would see a difference where there is none."""
    for freedoms in COMBINATIONS.values():
        assert said.__wrapped__(freedoms) == said(freedoms)
