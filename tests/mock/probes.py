"""A request or a few for every open question, and what the responses say, in the words of its answers."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

import httpx2

from tests.mock.api import LOADS, PAYMENTS, SEARCH, Json, json_of, payment_of

PATCH = "application/json-patch+json"
OPEN, CANADIAN, WITHOUT_AMOUNT, FINANCED = "LD-1001", "LD-1003", "LD-1004", "LD-1007"
CLOSED, PAID = "LD-1014", "LD-1019"
NOT_PAYABLE = "Load must be in one of: Invoiced, Completed, Financed."
NOT_POSITIVE = "Amount must be greater than zero."
NO_REFERENCE = "The ReferenceNumber field is required."
ORIGINAL = "200, the original"


@dataclass
class Probe:
    """Asks one mock. Every payment has a reference of its own, unless it is given one."""

    client: httpx2.Client
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def body(
        self, number: str = OPEN, amount: object = 0.01, currency: object = 840, **fields: object
    ) -> Any:
        body = payment_of(number, f"P-{next(self.numbers)}", amount, 840, **fields)
        body["Amount"]["Currency"] = currency
        return body

    def post(
        self,
        body: object,
        media_type: str | None = PATCH,
        path: str = PAYMENTS,
        method: str = "POST",
        **headers: str,
    ) -> httpx2.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        typed = {} if media_type is None else {"content-type": media_type}
        return self.client.request(method, path, content=content, headers=typed | headers)

    def pay(self, *arguments: object, **fields: object) -> httpx2.Response:
        return self.post(self.body(*arguments, **fields))  # type: ignore[arg-type]

    def raw(self, old: str, new: str | bytes, **fields: object) -> httpx2.Response:
        """A payment with a piece of its text replaced."""
        written = new if isinstance(new, bytes) else new.encode()
        text = json.dumps(self.body(**fields)).encode()  # type: ignore[arg-type]
        assert old.encode() in text
        return self.post(text.replace(old.encode(), written, 1))

    def read(self, number: str = OPEN) -> Json:
        return json_of(self.get(loadNumber=number).text)

    def get(self, **query: str) -> httpx2.Response:
        return self.client.get(LOADS, params=query)

    def search(self, **fields: object) -> httpx2.Response:
        return self.post(fields, "application/json", SEARCH)


def shown(response: httpx2.Response) -> list[Json]:
    assert response.status_code == 200, response.text
    payments: list[Json] = json_of(response.text)["CustomerPayments"]
    return payments


def last(response: httpx2.Response) -> Json:
    return shown(response)[-1]


def document(response: httpx2.Response) -> Json:
    try:
        return json_of(response.text)
    except ValueError:
        return response.text


def strings(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in strings(each)]


def says(response: httpx2.Response, sentence: str) -> bool:
    return any(sentence in text for text in strings(document(response)))


def status(response: httpx2.Response, accepted: str = "accepted") -> str:
    return accepted if response.status_code == 200 else str(response.status_code)


def read_or_status(response: httpx2.Response, accepted: str = "accepted") -> str:
    """For a payment of nothing: whether it was read."""
    return accepted if says(response, NOT_POSITIVE) else str(response.status_code)


def places(response: httpx2.Response, sentence: str) -> str:
    problem = document(response)
    if not isinstance(problem, dict):
        return "a plain body"
    errors = problem.pop("errors", {})
    found = {"errors": errors} | problem
    if isinstance(errors, dict):
        found = {f"errors[{key}]": value for key, value in errors.items()} | problem
    return ", ".join(
        place for place, value in found.items() if any(sentence in each for each in strings(value))
    )


def problem(response: httpx2.Response) -> str:
    found = document(response)
    if not isinstance(found, dict):
        return "not a problem document"
    told = "status" if found.get("status") == response.status_code else f"status {found.get('status')}"
    trace = "traceId" if found.get("traceId") else "no traceId"
    return f"type {found.get('type')}, title {found.get('title')}, {told}, {trace}"


def wording(response: httpx2.Response, sentence: str) -> str:
    assert says(response, sentence)
    exactly = sentence in strings(document(response))
    return "exactly the page's" if exactly else "contained in another"


def nothing(probe: Probe, media_type: str | None = PATCH, path: str = PAYMENTS, **headers: str) -> str:
    response = probe.post(probe.body(amount=0), media_type, path, **headers)
    return read_or_status(response)


def is_replay(probe: Probe, first: str, second: str) -> str:
    """What a second reference is after the first one: the same payment, or another."""
    one = last(probe.pay(ReferenceNumber=first))
    response = probe.pay(ReferenceNumber=second)
    if response.status_code != 200:
        return str(response.status_code)
    found = [each for each in shown(response) if each["Id"] == one["Id"]]
    return "the same payment" if len(shown(response)) == len(found) == 1 else "another payment"


def status_after(probe: Probe, number: str, amount: object, before: str) -> str:
    after = json_of(probe.pay(number, amount).text)["Status"]
    return "unchanged" if after == before else str(after)


def share(probe: Probe, number: str, currency: int) -> str:
    probe.pay(number, 1, 124)
    before = probe.read(number)["totalPaid"]["Amount"]
    response = probe.pay(number, 10, currency)
    if response.status_code != 200:
        return str(response.status_code)
    counted = (probe.read(number)["totalPaid"]["Amount"] - before) / Decimal(10)
    return {0: "does not count", 1: "counts"}.get(counted, "counts with another amount")


def exactness(probe: Probe) -> str:
    for amount in (0.1, 0.2):
        probe.pay(amount=amount)
    total = probe.read()["totalPaid"]["Amount"]
    return "exact" if total == Decimal("0.3") else "off by less than a cent"


def about(response: httpx2.Response, *, status_too: bool = True) -> str:
    body, gate = says(response, NOT_POSITIVE), says(response, NOT_PAYABLE) and status_too
    words = {
        (True, False): " about the body",
        (False, True): " about the status",
        (True, True): " about both",
    }
    return words.get((body, gate), "")


def names_missing_field(probe: Probe) -> str:
    body = probe.body()
    del body["PaymentDate"]
    errors = document(probe.post(body)).get("errors")
    if not isinstance(errors, dict) or not errors:
        return "not in errors"
    words = {"PaymentDate": "its name", "paymentDate": "its name in other case"}
    return f"errors, by {words.get(next(iter(errors)), 'another name')}"


def replayed(probe: Probe, number: str = OPEN, **changes: object) -> httpx2.Response:
    probe.pay(number, ReferenceNumber="AGAIN")
    return probe.pay(number, ReferenceNumber="AGAIN", **changes)


def list_of_replay(probe: Probe) -> str:
    probe.pay(ReferenceNumber="FIRST")
    probe.pay()
    references = [each["ReferenceNumber"] for each in shown(probe.pay(ReferenceNumber="FIRST"))]
    current = len(references) == 2
    assert "FIRST" in references
    return f"200, the original in {'the current' if current else 'another'} list and status"


def on_another_load(probe: Probe) -> str:
    probe.pay(ReferenceNumber="SHARED")
    response = probe.pay(FINANCED, ReferenceNumber="SHARED")
    if response.status_code != 200:
        return str(response.status_code)
    return "an independent payment" if shown(response) else "the payment of the other load"


def after_refusal(probe: Probe) -> str:
    probe.pay(amount=0, ReferenceNumber="REFUSED")
    response = probe.pay(ReferenceNumber="REFUSED")
    if response.status_code != 200:
        return "is used up"
    return "is not used up" if shown(response) else "200, without a payment"


def invoice_of_another_load(probe: Probe) -> str:
    probe.pay(InvoiceNumber="INV-OTHER")
    return status(probe.pay(FINANCED, InvoiceNumber="INV-OTHER"), "stored unchecked")


def precise(probe: Probe) -> str:
    response = probe.raw("0.01", "0.1234500000000000001")
    if response.status_code != 200:
        return str(response.status_code)
    kept = last(response)["Amount"]["Amount"]
    words = {"0.12345": "as a double", "0.1235": "rounded to four digits", "0.12": "rounded to cents"}
    return words.get(str(kept), "exact")


def shown_date(probe: Probe) -> str:
    words = {
        "2026-07-01T15:30:00.1234567+02:00": "as sent",
        "2026-07-01T13:30:00.1234567Z": "the same instant in UTC",
        "2026-07-01T08:30:00.1234567-05:00": "the same instant with another offset",
        "2026-07-01T15:30:00.1234567": "without an offset, as sent",
        "2026-07-01T13:30:00.1234567": "without an offset, in UTC",
        "2026-07-01T00:00:00Z": "another instant of the day",
        "2026-07-01": "the day only",
    }
    return words[last(probe.pay(PaymentDate=next(iter(words))))["PaymentDate"]]


def precision(probe: Probe) -> str:
    got = last(probe.pay(PaymentDate="2026-07-01T15:30:20.1234567Z"))["PaymentDate"]
    words = {
        "2026-07-01T15:30:20.1234567Z": "as sent",
        "2026-07-01T15:30:20.123Z": "a part of a millisecond is lost",
        "2026-07-01T15:30:20Z": "rounded within a second",
        "2026-07-01T15:30:00Z": "rounded to a minute or more",
        "2026-07-01T00:00:00Z": "the day",
    }
    return words[got]


def lag(probe: Probe) -> str:
    def is_shown() -> bool:
        return bool(probe.search(LoadNumbers=[OPEN]).json()["Items"][0]["payments"]) and bool(
            probe.read()["payments"]
        )

    probe.client.patch("/_mock/clock", json={"frozen": True})
    probe.pay()
    if is_shown():
        return "at once"
    for seconds in (1, 5):
        probe.client.patch("/_mock/clock", json={"move": seconds})
        if is_shown():
            return f"within {seconds} s"
    return "later"


def without_currency(probe: Probe, number: str = CANADIAN) -> httpx2.Response:
    body = probe.body(number)
    del body["Amount"]["Currency"]
    return probe.post(body)


def currency_of_none(probe: Probe) -> str:
    kept = last(without_currency(probe))["Amount"]["Currency"]
    return "that of the load" if kept == 124 else str(kept)


def damaged(old: bytes, new: bytes) -> Callable[[Probe], str]:
    return lambda probe: status(probe.post(json.dumps(probe.body()).encode().replace(old, new)))


def paid_at_after(probe: Probe, *, replay: bool) -> str:
    probe.pay(ReferenceNumber="ONE")
    before = probe.read()["paidAt"]
    probe.pay(**{"ReferenceNumber": "ONE"} if replay else {})
    moved = probe.read()["paidAt"] != before
    told = "the time of the replay" if replay else "the time of recording"
    return told if moved else "unchanged"


def reported(probe: Probe) -> str:
    response = probe.pay(amount=0, ReferenceNumber="")
    said = sum(says(response, sentence) for sentence in (NO_REFERENCE, NOT_POSITIVE))
    return {2: "all reported", 1: "one reported", 0: "none reported"}[said]


def order(probe: Probe) -> str:
    for _ in range(3):
        response = probe.pay()
    names = [each["ReferenceNumber"] for each in shown(response)]
    words = {tuple(sorted(names)): "oldest first", tuple(sorted(names))[::-1]: "newest first"}
    return words.get(tuple(names), "some other")


def kept_text(probe: Probe, text: str, words: dict[str | None, str]) -> str:
    response = probe.pay(InvoiceNumber=text)
    if response.status_code != 200:
        return str(response.status_code)
    return words[last(response)["InvoiceNumber"]]


def emptiness(response: httpx2.Response, accepted: str = "200, no Items") -> str:
    if response.status_code == 200:
        assert json_of(response.text)["Items"] == []
    return status(response, accepted)


def at_once(probe: Probe) -> str:
    body = probe.body()
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted({each.status_code for each in pool.map(probe.post, [body, body])})
    assert len(probe.read()["payments"]) == 1
    return "one payment, both 200" if statuses == [200] else f"one payment, {statuses}"


def page_shown(probe: Probe) -> str:
    response = probe.search(LoadNumbers=[OPEN])
    found = json_of(response.text)
    return status(response, f"Page {found.get('Page')}, PageSize {found.get('PageSize')}")


def date_range(probe: Probe) -> str:
    created = probe.read()["CreatedAt"]
    response = probe.search(LoadNumbers=[OPEN], DateRange={"Start": created, "End": created})
    return "found" if response.status_code == 200 else "not found"


def fields_in_load(probe: Probe) -> str:
    assert "ReferenceNumber" in last(probe.pay())
    fields = probe.read()["payments"][0]
    return "those of the response" if "ReferenceNumber" in fields else ", ".join(sorted(fields))


def names_in_load(probe: Probe) -> str:
    probe.pay()
    return ", ".join(n for n in probe.read() if n.lower() in ("paidat", "totalpaid", "payments"))


def currency_of_load_without_one(probe: Probe) -> str:
    probe.pay(WITHOUT_AMOUNT, currency=124)
    kept = probe.read(WITHOUT_AMOUNT)["totalPaid"]["Currency"]
    return "that of the payment" if kept == 124 else str(kept)


def currency_of_zero(probe: Probe) -> str:
    kept = last(probe.pay(CANADIAN, currency=0))["Amount"]["Currency"]
    return "that of the load" if kept == 124 else str(kept)


def trace_ids(probe: Probe) -> str:
    one, other = (document(probe.pay(amount=0))["traceId"] for _ in range(2))
    return "is the same" if one == other else "differs"


def header(response: httpx2.Response, name: str) -> str:
    return response.headers.get(name, "none")


def with_date(date: str) -> Callable[[Probe], str]:
    return lambda probe: status(probe.pay(PaymentDate=date))


def at(text: str) -> str:
    return PAYMENTS.replace("1.0", text)


PROBES: dict[str, Callable[[Probe], str]] = {
    "A1": names_in_load,
    "A1b": fields_in_load,
    "A2a": lambda probe: places(probe.pay(ReferenceNumber=""), NO_REFERENCE),
    "A2b": lambda probe: places(probe.pay(amount=0), NOT_POSITIVE),
    "A2c": lambda probe: places(probe.pay(CLOSED), NOT_PAYABLE),
    "A2d": lambda probe: problem(probe.pay(amount=0)),
    "A2e": lambda probe: problem(probe.pay("nope")),
    "A2f": lambda probe: problem(probe.post(probe.body(), method="PUT")),
    "A2g": lambda probe: problem(probe.post(probe.body(), "text/plain")),
    "A2h": names_missing_field,
    "A2i": trace_ids,
    "A3": lambda probe: header(probe.pay(amount=0), "content-type"),
    "A4a": lambda probe: nothing(probe, "application/json"),
    "A4b": lambda probe: nothing(probe, "text/json"),
    "A4c": lambda probe: nothing(probe, "application/vnd.alvys+json"),
    "A4d": lambda probe: nothing(probe, "text/plain"),
    "A4e": lambda probe: nothing(probe, "application/xml"),
    "A4f": lambda probe: nothing(probe, "application/x-www-form-urlencoded"),
    "A4g": lambda probe: nothing(probe, None),
    "A4h": lambda probe: nothing(probe, f"{PATCH}; charset=utf-8"),
    "A5a": lambda probe: nothing(probe, path=at("1")),
    "A5b": lambda probe: nothing(probe, path=at("2")),
    "A5c": lambda probe: nothing(probe, path=at("2.0")),
    "A5d": lambda probe: nothing(probe, path=at("9")),
    "A5e": lambda probe: nothing(probe, path=PAYMENTS.replace("invoices", "Invoices")),
    "A6": list_of_replay,
    "A7": lambda probe: status(replayed(probe, amount=5), ORIGINAL),
    "A7b": lambda probe: status(replayed(probe, PaymentMethod="Wire"), ORIGINAL),
    "A8": on_another_load,
    "A9a": lambda probe: is_replay(probe, "x-ab", "x-AB"),
    "A9b": lambda probe: is_replay(probe, "x", "x "),
    "A9c": lambda probe: status(probe.pay(ReferenceNumber="  ")),
    "A9d": lambda probe: is_replay(probe, "\u00e9", "e\u0301"),
    "A9e": lambda probe: (
        "as sent" if last(probe.pay(ReferenceNumber=" r "))["ReferenceNumber"] == " r " else "trimmed"
    ),
    "A10a": lambda probe: status(probe.post(probe.body(), "text/plain", at("9"))),
    "A10b": lambda probe: status(probe.post(probe.body(), "text/plain", method="PUT")),
    "A10c": lambda probe: status(probe.post(b"[]", "text/plain")),
    "A10d": lambda probe: f"{status(one := probe.pay('nope', 0))}{about(one)}",
    "A10e": lambda probe: f"{status(one := probe.pay(CLOSED, 0))}{about(one) or ' about something else'}",
    "A10f": lambda probe: (
        f"{status(one := probe.pay(PAID, ReferenceNumber='BANK-54310'), ORIGINAL)}{about(one)}"
    ),
    "A10g": lambda probe: status(replayed(probe, amount=0), ORIGINAL),
    "A11": reported,
    "A12a": lambda probe: status_after(probe, OPEN, 1, "Invoiced"),
    "A12b": lambda probe: status_after(probe, OPEN, 1850, "Invoiced"),
    "A12c": lambda probe: status_after(probe, WITHOUT_AMOUNT, 1, "Invoiced"),
    "A13": lambda probe: status(probe.pay(amount=10_000)),
    "A14a": lambda probe: status(probe.pay(currency=124)),
    "A14b": lambda probe: share(probe, CANADIAN, 840),
    "A14c": lambda probe: share(probe, CANADIAN, 0),
    "A14d": currency_of_zero,
    "A15": shown_date,
    "A16a": lambda probe: paid_at_after(probe, replay=False),
    "A16b": lambda probe: paid_at_after(probe, replay=True),
    "A17a": with_date("2026-07-01T15:30:00"),
    "A17b": with_date("2026-07-01"),
    "A17c": with_date("2026-07-01 15:30:00Z"),
    "A17d": with_date("2026-07-01T15:30:00+02"),
    "A17e": with_date("2026-02-30T15:30:00Z"),
    "A17f": with_date("2026-07-01T24:00:00Z"),
    "A17g": with_date(""),
    "A17h": with_date("1782920000"),
    "A17i": with_date("2026-07-01T15:30:00+24:00"),
    "A17j": with_date(" 2026-07-01T15:30:00Z "),
    "A18a": lambda probe: status(probe.pay(Comment="x", Id="mine"), "ignored"),
    "A18b": lambda probe: status(probe.raw('{"Amount"', '{"amount"')),
    "A19": invoice_of_another_load,
    "A20a": exactness,
    "A20b": lambda probe: status(probe.raw("0.01", "1e400")),
    "A20c": precise,
    "A20d": exactness,
    "A21": after_refusal,
    "A22": at_once,
    "A23a": lambda probe: emptiness(probe.search(LoadNumbers=["nope"])),
    "A23b": lambda probe: emptiness(probe.search(LoadNumbers=[OPEN], Page=1)),
    "A24a": lambda probe: wording(probe.pay(ReferenceNumber=""), NO_REFERENCE),
    "A24b": lambda probe: wording(probe.pay(amount=0), NOT_POSITIVE),
    "A24c": lambda probe: wording(probe.pay(CLOSED), NOT_PAYABLE),
    "Q1": order,
    "Q2": lambda probe: status(probe.pay(amount="0.01")),
    "Q3": lambda probe: status(probe.raw("840", "840.0")),
    "Q4": lambda probe: status(probe.raw('"PaymentDate"', '"PaymentDate":"x","PaymentDate"')),
    "Q5": lambda probe: status(probe.post(b"payment")),
    "Q6": lambda probe: status(probe.post(b"[]")),
    "Q7": lambda probe: status(probe.post(b"")),
    "Q8": lambda probe: status(probe.post(probe.body(), method="PUT")),
    "Q9": lambda probe: status(probe.pay(amount=[1])),
    "Q10": lambda probe: status(probe.pay(Note="a\0b")),
    "Q11": lambda probe: status(probe.pay(CLOSED.lower())),
    "Q12": lambda probe: status(probe.pay(f" {CLOSED} ")),
    "Q13": lambda probe: status(probe.pay(" ")),
    "Q14": lambda probe: status(probe.get(loadNumber=" ")),
    "Q15": lambda probe: status(probe.get(loadNumber=OPEN, orderNumber="nope")),
    "Q16": lambda probe: status(probe.get(loadNumber=OPEN.lower())),
    "Q17": lambda probe: status(probe.pay(Note="n" * 10_000), "stored"),
    "Q18": lambda probe: kept_text(probe, "", {"": "stored empty", None: "stored as null"}),
    "Q19": lambda probe: kept_text(probe, " a ", {" a ": "kept", "a": "trimmed"}),
    "Q20": currency_of_load_without_one,
    "Q21": lambda probe: status(probe.client.get("/api/p/v1.0/load")),
    "Q22": lambda probe: read_or_status(
        probe.post(probe.body(amount=0), Accept="application/xml"), "ignored"
    ),
    "Q23": lambda probe: status(probe.post(b"[" * 10_000 + b"]" * 10_000)),
    "Q24": lambda probe: status(probe.raw("a note", b"\xff", Note="a note")),
    "Q25": lambda probe: status(probe.pay(Note="\ud800")),
    "Q26": lambda probe: status(probe.pay(currency=-1)),
    "Q27": lambda probe: header(probe.get(loadNumber=OPEN), "www-authenticate").partition(" ")[0],
    "Q28": lambda probe: emptiness(probe.search(Status=["Misplaced"]), "accepted"),
    "Q29": lambda probe: status(probe.raw("0.01", "NaN")),
    "Q30": lambda probe: header(probe.post(probe.body(), method="PUT"), "allow"),
    "Q32": date_range,
    "Q33": page_shown,
    "Q35": lambda probe: "are null" if "CheckNumber" in last(probe.pay()) else "are left out",
    "Q40": lag,
    "Q41": lambda probe: (
        "with an offset" if probe.pay() and probe.read()["paidAt"].endswith("Z") else "without an offset"
    ),
    "Q42": lambda probe: "is null" if probe.read("LD-1002")["totalPaid"] is None else "is filled",
    "Q43": precision,
    "Q44": lambda probe: status(probe.pay(ReferenceNumber=7, Note=7.5)),
    "Q45": lambda probe: status(probe.pay(CheckNumber=True)),
    "Q46": lambda probe: status(probe.pay(PaymentDate=1782920000)),
    "Q47": lambda probe: status(probe.pay(amount=True)),
    "Q48": lambda probe: status(probe.pay(currency=840.5)),
    "Q49": lambda probe: status(without_currency(probe)),
    "Q50": currency_of_none,
    "Q51": damaged(b'{"Amount"', b'/* the amount */ {"Amount"'),
    "Q52": damaged(b"}", b",}"),
    "Q53": damaged(b'"', b"'"),
    "Q54": lambda probe: status(probe.post(json.dumps(probe.body()).encode() + b"}")),
    "Q55": damaged(b"0.01", b".01"),
    "Q56": damaged(b"0.01", b"+0.01"),
    "Q57": damaged(b"0.01", b"00.01"),
    "Q58": lambda probe: status(probe.post(json.dumps(probe.body()).encode("utf-16"))),
    "Q59": lambda probe: status(probe.pay(currency=2**31)),
    "Q60": lambda probe: status(probe.pay(Note="n" * 70_000)),
    "Q34": lambda probe: status(probe.pay(Note="a\r\n\tb"), "stored"),
}
"""By question; the whole of an API is asked, so each mock answers one probe only."""
