"""What a request would do is read from its bytes, on the side of money."""

import gzip
from decimal import Decimal

import pytest

from contract_tests.safety.intent import Action, intent_of
from tests.suite.counting_server import LOADS, PAYMENTS, SEARCH
from tests.suite.payments import body

REAL = body("LD-1")
MULTIPART = b'--b\r\nContent-Disposition: form-data; name="LoadNumber"\r\n\r\nLD-1\r\n--b--'


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (REAL, "application/json"),
        (b'{"LoadNumber": "ct-no-such-load-1", "LoadNumber": "LD-1"}', "application/json"),
        (b'{"LoadNumber": "LD-1", "LoadNumber": "ct-no-such-load-1"}', "application/json"),
        (b'{"loadnumber": "LD-1"}', "application/json"),
        (b'{"load_number": "LD-1"}', "application/json"),
        (b'{"\\u004coadNumber": "LD-1"}', "application/json"),
        ('{"\uff2coadNumber": "LD-1"}'.encode(), "application/json"),
        (b'{"LoadNumber": ["LD-1"]}', "application/json"),
        (b'{"LoadNumber": {"Value": "LD-1"}}', "application/json"),
        (b'{"LoadNumber": " LD-1 "}', "application/json"),
        (b'{"payment": {"LoadNumber": "LD-1"}}', "application/json"),
        (b'[{"LoadNumber": "LD-1"}]', "application/json"),
        (b'[{"op": "add", "path": "/LoadNumber", "value": "LD-1"}]', "application/json-patch+json"),
        (b'"{\\"LoadNumber\\": \\"LD-1\\"}"', "application/json"),
        (b'\xef\xbb\xbf{"LoadNumber": "LD-1"}', "application/json"),
        (b'{"a":' * 50_000 + b'{"LoadNumber": "LD-1"}' + b"}" * 50_000, "application/json"),
        (b'{"LoadNumber": "LD-1", }', "application/json"),
        (b"{LoadNumber: 'LD-1'}", "application/json"),
        (b'{"LoadNumber": "LD-1', "application/json"),
        (b'{"LoadNumber": "LD-1"} and more', "application/json"),
        (b'/* c */ {"LoadNumber": "LD-1"}', "application/json"),
        (b"LoadNumber=LD-1&Amount=5", "application/x-www-form-urlencoded"),
        (b"%4coadNumber=LD-1", "application/x-www-form-urlencoded"),
        (MULTIPART, "multipart/form-data; boundary=b"),
        (b"<p><LoadNumber>LD-1</LoadNumber></p>", "application/xml"),
        (b'<p LoadNumber="LD-1"/>', "application/xml"),
        (b"<p><&#76;oadNumber>LD-1</p>".replace(b"<&#76;", b"&#76;"), "application/xml"),
        ('{"LoadNumber": "LD-1"}'.encode("utf-16"), "application/json"),
        ('{"LoadNumber": "LD-1"}'.encode("utf-16-le"), "application/json"),
        ('{"LoadNumber": "LD-1"}'.encode("utf-32"), "application/json"),
        ('{"LoadNumber": "LD-1"}'.encode("cp037"), "application/json; charset=cp037"),
        ('{"LoadNumber": "LD-1"}'.encode("utf-7"), 'application/json; charset="UTF-7"'),
        ('{"LoadNumber": "LD-1"}'.encode("cp037"), "application/json; charset=utf-8; charset=cp037"),
        (b"\xdaLoadNumber\xa4LD-1", "application/msgpack"),
    ],
)
def test_a_load_is_seen_in_every_disguise(content: bytes, media_type: str) -> None:
    intent = intent_of("POST", PAYMENTS.encode(), {"content-type": media_type}, content)
    assert intent.possible_loads
    assert not intent.cannot_record


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b"5",
        b"{",
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        b'{"LoadNumber": null}',
        b'{"LoadNumber": ""}',
        b'{"LoadNumber": "  "}',
        b'{"LoadNumber": "ct-no-such-load-7"}',
        b'{"LoadNumber": "CT-NO-SUCH-LOAD-7 "}',
        b'{"LoadNumber": "ct-no-such-load-7", "Note": "about LD-1"}',
    ],
)
def test_a_body_that_names_no_load_that_can_exist_cannot_record(content: bytes) -> None:
    assert intent_of("POST", PAYMENTS.encode(), {}, content).cannot_record


def test_a_number_counts_as_a_load_number() -> None:
    assert intent_of("POST", PAYMENTS.encode(), {}, b'{"LoadNumber": 1001}').possible_loads == {"1001"}


@pytest.mark.parametrize("name", ["LoadNumber", "load_number", "payment.loadNumber", "payment[LoadNumber]"])
def test_a_load_named_in_the_query_counts(name: str) -> None:
    assert not intent_of("POST", f"{PAYMENTS}?{name}=LD-1".encode(), {}, b"{}").cannot_record


@pytest.mark.parametrize("coding", ["gzip", "br", "x-unknown"])
def test_a_coded_body_hides_what_it_names(coding: str) -> None:
    intent = intent_of("POST", PAYMENTS.encode(), {"Content-Encoding": coding}, gzip.compress(REAL))
    assert intent.opaque
    assert not intent.cannot_record


@pytest.mark.parametrize(
    "content",
    [
        b'{"LoadNumber": /*,*/ "LD-1"}',
        b'{"LoadNumber": /*"ct-no-such-load-1"*/ "LD-1"}',
        b'{"LoadNumber": // "ct-no-such-load-1"\n "LD-1"}',
        b'{"LoadNumber" /*: "ct-no-such-load-1"*/ : "LD-1"}',
        b'{"LoadNumber": ["ct-no-such-load-1", "LD-1"],}',
        b'[{"op": "add", "path": "/LoadNumber", "value": "LD-1"},]',
        b"LoadNumber: # ct-no-such-load-1\n  LD-1",
        b"<LoadNumber><![CDATA[LD-1]]></LoadNumber>",
        b"<LoadNumber><!-- --><n>LD-1</n></LoadNumber>",
    ],
)
def test_text_that_is_not_json_may_hide_what_it_names(content: bytes) -> None:
    assert not intent_of("POST", PAYMENTS.encode(), {}, content).cannot_record


@pytest.mark.parametrize(
    "content",
    [
        b'{"LoadNumber": "ct-no-such-load-7',
        b"{LoadNumber: 'ct-no-such-load-7'}",
        b"LoadNumber=ct-no-such-load-7&Note=LD-1",
        b"<p><LoadNumber>ct-no-such-load-7</LoadNumber></p>",
    ],
)
def test_text_that_plainly_names_an_impossible_load_cannot_record(content: bytes) -> None:
    assert intent_of("POST", PAYMENTS.encode(), {}, content).cannot_record


def test_an_unknown_charset_hides_what_a_body_names() -> None:
    headers = {"content-type": "application/json; charset=x-secret"}
    assert not intent_of("POST", PAYMENTS.encode(), headers, b"abc").cannot_record


@pytest.mark.parametrize(
    "path",
    [
        PAYMENTS,
        PAYMENTS.upper(),
        PAYMENTS + "/",
        PAYMENTS.replace("/", "//"),
        PAYMENTS.replace("customer", "%63ustomer"),
        PAYMENTS.replace("customer", "%2563ustomer"),
        PAYMENTS.replace("-", "%2D"),
        f"{SEARCH}/%2e%2e/%2e%2e/invoices/customer-payments",
        f"{SEARCH}/..\\..\\invoices\\customer-payments",
        PAYMENTS + ";v=1",
        f"/proxy{PAYMENTS}",
    ],
)
def test_a_payment_is_seen_behind_every_spelling_of_the_path(path: str) -> None:
    assert intent_of("post", path.encode(), {}, REAL).action is Action.PAYMENT


@pytest.mark.parametrize(
    "path",
    [
        f"{PAYMENTS}/LD-1",
        "/api/p/invoices/customer-payments",
        f"{SEARCH}/x",
        f"{SEARCH};x",
        f"{SEARCH}%2Fx",
        "/",
    ],
)
def test_a_write_to_any_other_path_is_neither_payment_nor_read(path: str) -> None:
    assert intent_of("POST", path.encode(), {}, REAL).action is Action.OTHER


def test_a_search_is_a_read() -> None:
    assert intent_of("POST", SEARCH.encode(), {}, b'{"LoadNumbers": ["LD-1"]}').action is Action.READ


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "get"])
def test_reads_are_reads(method: str) -> None:
    assert intent_of(method, LOADS.encode(), {}, b"").action is Action.READ


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override", "X-METHOD"]
)
def test_a_read_that_asks_to_be_a_write_is_one(header: str) -> None:
    assert intent_of("GET", PAYMENTS.encode(), {header: "post"}, REAL).action is Action.PAYMENT


@pytest.mark.parametrize(
    ("method", "path", "content", "harmless"),
    [
        ("DELETE", LOADS, b"", False),
        ("DELETE", f"{LOADS}?loadNumber=LD-1", b"", False),
        ("DELETE", f"{LOADS}?loadNumber=ct-no-such-load-1", b"", True),
        ("DELETE", PAYMENTS, b"", False),
        ("PUT", LOADS, b"", True),
        ("PUT", LOADS, b'{"Status": "Paid"}', False),
        ("PATCH", PAYMENTS, REAL, False),
        ("PATCH", PAYMENTS, body("ct-no-such-load-1"), True),
    ],
)
def test_a_method_that_the_path_does_not_take_is_harmless_only_without_a_load(
    method: str,
    path: str,
    content: bytes,
    harmless: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert intent_of(method, path.encode(), {}, content).cannot_record is harmless


@pytest.mark.parametrize(
    ("content", "amount"),
    [
        (body(amount="1.5"), "1.5"),
        (body(amount="1e3"), "1000"),
        (body(amount='"7.25"'), "7.25"),
        (body(amount="-5"), "-5"),
        (body(amount="NaN"), "Infinity"),
        (body(amount="1e999999999999999999999"), "Infinity"),
        (b'{"Amount": {"Amount": 1, "Amount": 900, "Currency": 840}}', "900"),
        (b'{"Amount": {"Amount": 1}, "amount": {"amount": 900}}', "900"),
        (b'{"Amount": {"Currency": 840}}', "0"),
        (b"LoadNumber=LD-1&Amount=50", "50"),
        (b'{"Amount": {"Amount": 12.5', "12.5"),
    ],
)
def test_the_largest_amount_that_a_body_may_mean_counts(content: bytes, amount: str) -> None:
    assert intent_of("POST", PAYMENTS.encode(), {}, content).amount == Decimal(amount)


def test_two_references_are_none() -> None:
    content = b'{"ReferenceNumber": "ct-run-1", "ReferenceNumber": "ct-run-2"}'
    assert intent_of("POST", PAYMENTS.encode(), {}, content).reference is None
    assert intent_of("POST", PAYMENTS.encode(), {}, body()).reference == "ct-run-1"
