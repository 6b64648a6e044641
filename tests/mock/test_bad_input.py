"""Whatever a client sends: the right problem document, no 5xx, and nothing has changed."""

import json
from collections.abc import Iterator
from itertools import product

import pytest

from tests.mock.api import LOADS, PAYMENTS, SCHEMAS, SEARCH, Api, checked_problem, payment_of, problem_of

NUMBER = "Invoiced 0"
LIMIT = 1024 * 1024
TOO_DEEP = 100_000


@pytest.fixture
def untouched(api: Api) -> Iterator[Api]:
    """The API, with a look at the load before and after."""
    before = api.load_text(NUMBER)
    yield api
    assert api.load_text(NUMBER) == before


def payment(**fields: object) -> bytes:
    return json.dumps(payment_of(NUMBER, "bad input") | fields).encode()


def with_reference(written: bytes) -> bytes:
    """A payment with these bytes between the quotes of its reference."""
    return payment().replace(b"bad input", written)


def with_amount(written: bytes) -> bytes:
    return payment().replace(b'"Amount": 1', b'"Amount": ' + written)


def with_field(written: bytes) -> bytes:
    """A payment with one more field, in front of the others."""
    return payment().replace(b"{", b"{" + written + b",", 1)


NO_JSON: dict[str, bytes] = {
    "cut short": payment()[:-1],
    "two documents": payment() * 2,
    "a trailing comma": payment()[:-1] + b",}",
    "a comment": b"/* */" + payment(),
    "single quotes": payment().replace(b'"', b"'"),
    "a byte order mark": b"\xef\xbb\xbf" + payment(),
    "UTF-16": payment().decode().encode("utf-16"),
    "invalid UTF-8": with_reference(b"\xff"),
    "a surrogate in UTF-8": with_reference(b"\xed\xa0\x80"),
    "invalid UTF-8 in a name": with_field(b'"\xc3":1'),
    "a lone high surrogate": with_reference(b"\\ud800"),
    "a lone low surrogate": with_reference(b"\\udc00 "),
    "surrogates in the wrong order": with_reference(b"\\udc00\\ud800"),
    "a lone surrogate in a name": with_field(b'"\\ud800":1'),
    "a raw NUL": with_reference(b"a\0b"),
    "a NUL alone": b"\0",
    "a raw line feed": with_reference(b"a\nb"),
    "NaN": payment(Amount={"Amount": float("nan"), "Currency": 840}),
    "Infinity": payment(Amount={"Amount": float("inf"), "Currency": 840}),
    "-Infinity": payment(Amount={"Amount": float("-inf"), "Currency": 840}),
    "a leading zero": with_amount(b"01"),
    "a plus": with_amount(b"+1"),
    "a bare point": with_amount(b"1."),
    "hexadecimal": with_amount(b"0x1"),
    "deep arrays": b"[" * TOO_DEEP + b"]" * TOO_DEEP,
    "deep objects": b'{"LoadNumber":' * 40_000 + b"1" + b"}" * 40_000,
    "deep arrays cut short": b"[" * TOO_DEEP,
    "a deep field": payment().replace(b'"bad input"', b"[" * TOO_DEEP + b"]" * TOO_DEEP),
    "a field twice": with_field(b'"ReferenceNumber":"x"'),
    "a field twice with one value": with_field(b'"LoadNumber":"Invoiced 0"'),
    "a nested field twice": payment().replace(b'"Currency"', b'"Amount": 2, "Currency"'),
    "a field twice, once escaped": with_field(b'"Load\\u004eumber":"x"'),
    "a colon hidden in an escape": with_field(b'"ReferenceNumber":"\\u003a"'),
    "two colons for two": with_field(b'"a\\u003a\\u003a":1,"Note":"x","Note":"y"'),
    "an unknown field twice": with_field(b'"x":1,"x":1'),
    "form data": b"LoadNumber=LD-1001&Amount=1",
    "XML": b"<?xml version='1.0'?><a/>",
    "braces": b"{0}{LoadNumber}{",
}


@pytest.mark.parametrize("path", [PAYMENTS, SEARCH])
@pytest.mark.parametrize("fault", NO_JSON)
def test_what_is_no_json_is_400(untouched: Api, fault: str, path: str) -> None:
    problem = problem_of(untouched.post(NO_JSON[fault], path=path), 400)
    assert list(problem["errors"]) == ["$"]
    assert problem["detail"].startswith("The request body can't be read as JSON: ")


@pytest.mark.parametrize("path", [PAYMENTS, SEARCH])
@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t "])
def test_empty_body_is_400(untouched: Api, body: bytes, path: str) -> None:
    problem = problem_of(untouched.post(body, path=path), 400)
    assert problem["errors"] == {"$": ["A request body is required."]}


@pytest.mark.parametrize("path", [PAYMENTS, SEARCH])
@pytest.mark.parametrize(
    "body", [b"[]", b'[{"LoadNumber":"x"}]', b"0", b"-0", b"1e400", b'"text"', b"true", b"false"]
)
def test_body_of_another_type_is_400(untouched: Api, body: bytes, path: str) -> None:
    problem = problem_of(untouched.post(body, path=path), 400)
    assert set(problem["errors"]) == {"$"}
    assert "request body field" in problem["detail"]


@pytest.mark.parametrize("path", [PAYMENTS, SEARCH])
def test_null_as_body_is_400(untouched: Api, path: str) -> None:
    problem = problem_of(untouched.post(b"null", path=path), 400)
    assert problem["errors"] == {"$": ["The request body field is required."]}


@pytest.mark.parametrize(("path", "field"), [(PAYMENTS, "Note"), (SEARCH, "CustomerId")])
@pytest.mark.parametrize("depth", [1, 100, 300, 900])
def test_nested_field_is_400(untouched: Api, depth: int, path: str, field: str) -> None:
    deep = payment(**{field: "deep"}).replace(b'"deep"', b"[" * depth + b"]" * depth)
    problem = problem_of(untouched.post(deep, path=path), 400)
    assert next(iter(problem["errors"])) == (field if depth < 250 else "$")
    assert "nested too deeply" in problem["detail"] or depth < 250


@pytest.mark.parametrize("depth", [1, 300, 900])
def test_nesting_in_an_unknown_field_is_ignored(api: Api, depth: int) -> None:
    body = payment(LoadNumber=api.new_load("Invoiced"), Extra="deep")
    assert api.post(body.replace(b'"deep"', b"[" * depth + b"]" * depth)).status_code == 200


WRONG: dict[str, list[object]] = {
    "string": [None, True, 0, 1.5, [], {}, ["a"]],
    "optional string": [True, 0, 1.5, [], {}, "\0", "a\0b"],
    "object": [None, False, 0, "840", []],
    "number": [None, True, "1", "", [], {}],
    "integer": [None, True, "840", 840.5, [], {}],
}
FIELDS = {
    "LoadNumber": "string",
    "Amount": "object",
    "Amount.Amount": "number",
    "Amount.Currency": "integer",
    "PaymentDate": "string",
    "ReferenceNumber": "string",
    "InvoiceNumber": "optional string",
    "PaymentMethod": "optional string",
    "CheckNumber": "optional string",
    "Note": "optional string",
}


@pytest.mark.parametrize(
    ("field", "wrong"),
    [(field, wrong) for field, kind in FIELDS.items() for wrong in WRONG[kind]],
    ids=ascii,
)
def test_wrong_type_names_its_field(untouched: Api, field: str, wrong: object) -> None:
    body = json.loads(payment())
    *parent, name = field.split(".")
    (body[parent[0]] if parent else body)[name] = wrong
    problem = problem_of(untouched.post(body), 400)
    assert list(problem["errors"]) == [field]
    assert problem["errors"][field][0].startswith(f"The {name} field ")
    if wrong is None:
        assert problem["detail"] == f"The {name} field is required."


def test_fields_of_the_request_are_those_of_the_schema() -> None:
    """So that no new field goes untested above."""
    request, amount = SCHEMAS["CustomerPaymentRequest"], SCHEMAS["PaymentAmount"]
    names = {*request["properties"], *(f"Amount.{name}" for name in amount["properties"])}
    assert names == set(FIELDS)


@pytest.mark.parametrize(
    ("wanted", "faulty"),
    [
        ({}, "$"),
        ({"Page": 0}, "$"),
        ({"DateRange": {"Start": "2026-01-01T00:00:00Z"}}, "$"),
        ({"Status": []}, "$"),
        ({"CustomerId": ""}, "$"),
        ({"CustomerId": "x", "Page": -1}, "Page"),
        ({"CustomerId": "x", "Page": 0.5}, "Page"),
        ({"CustomerId": "x", "Page": None}, "Page"),
        ({"CustomerId": "x", "Page": 2**31}, "Page"),
        ({"CustomerId": "x", "PageSize": 0}, "PageSize"),
        ({"CustomerId": "x", "PageSize": "9"}, "PageSize"),
        ({"Status": ["Invoicd"]}, "Status[0]"),
        ({"Status": ["Invoiced", 5]}, "Status[1]"),
        ({"Status": "Invoiced"}, "Status"),
        ({"LoadNumbers": ["x"] * 151}, "LoadNumbers"),
        ({"LoadNumbers": [None]}, "LoadNumbers[0]"),
        ({"OrderNumbers": [{}]}, "OrderNumbers[0]"),
        ({"PONumbers": {}}, "PONumbers"),
        ({"CustomerId": 5}, "CustomerId"),
        ({"CustomerId": "x", "DateRange": []}, "DateRange"),
        ({"CustomerId": "x", "DateRange": {"Start": "yesterday"}}, "DateRange.Start"),
        ({"CustomerId": "x", "DateRange": {"Start": "2026-07-01T0.:00:00Z"}}, "DateRange.Start"),
        ({"CustomerId": "x", "DateRange": {"End": 5}}, "DateRange.End"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_faulty_search_names_its_field(untouched: Api, wanted: object, faulty: str) -> None:
    errors = problem_of(untouched.post(wanted, path=SEARCH), 400)["errors"]
    assert faulty in errors


@pytest.mark.parametrize(
    "others",
    [{}, {"Page": 1}, {"DateRange": {"Start": "2026-07-01T00:00:00Z"}}, {"Comment": "x"}],
    ids=str,
)
@pytest.mark.parametrize("empty", [{}, {"Status": None, "CustomerId": ""}, {"LoadNumbers": []}], ids=str)
def test_search_without_a_filter_is_400(
    untouched: Api, empty: dict[str, object], others: dict[str, object]
) -> None:
    problem = problem_of(untouched.post(others | empty, path=SEARCH), 400)
    assert problem["errors"] == {
        "$": ["At least one of Status, LoadNumbers, OrderNumbers, PONumbers, CustomerId is required."]
    }


def test_of_thousands_of_errors_a_hundred_are_reported(untouched: Api) -> None:
    problem = problem_of(untouched.post({"LoadNumbers": [0] * 5000}, path=SEARCH), 400)
    assert len(problem["errors"]) == 100


@pytest.mark.parametrize(
    "text", ["{0}", "{LoadNumber}", "{", "%s", "%(a)s", "{0.__class__}", "${x}", "$", "\\N{DASH}"]
)
def test_braces_are_only_text(api: Api, text: str) -> None:
    problem = problem_of(api.post(payment(LoadNumber=text)), 404)
    assert problem["detail"] == f"No load has the number {text}."
    response = api.pay(api.new_load("Invoiced"), ReferenceNumber=text, Note=text, InvoiceNumber=text)
    assert response["CustomerPayments"][0]["InvoiceNumber"] == text


@pytest.mark.parametrize(
    "text", ["\N{PILE OF POO}", "\x7f", "a\u2028", "\ufffe", '"\\/', "a\r\nb", "\x1b[31m"], ids=ascii
)
def test_any_other_text_is_kept(api: Api, text: str) -> None:
    number = api.new_load("Invoiced")
    api.pay(number, ReferenceNumber=text)
    assert api.load(number)["payments"][0]["ReferenceNumber"] == text


@pytest.mark.parametrize("field", ["LoadNumber", "ReferenceNumber", "Note", "Extra"])
def test_ten_megabytes_are_413(untouched: Api, field: str) -> None:
    problem = problem_of(untouched.post(payment(**{field: "x" * 10_000_000})), 413)
    assert str(LIMIT) in problem["detail"]


def test_longest_body_is_taken_and_one_byte_more_is_not(api: Api) -> None:
    number = api.new_load("Invoiced")
    body = payment(LoadNumber=number).ljust(LIMIT)
    assert api.post(body).status_code == 200
    problem_of(api.post(body + b" "), 413)


@pytest.mark.parametrize("size", [LIMIT + 1, 3 * LIMIT])
def test_chunked_body_over_the_limit_is_413(untouched: Api, size: int) -> None:
    chunks = (b"x" * min(65536, size - start) for start in range(0, size, 65536))
    headers = {"content-type": "application/json"}
    problem_of(untouched.client.post(PAYMENTS, content=chunks, headers=headers), 413)


def test_chunked_body_is_read_whole(api: Api) -> None:
    body = payment(LoadNumber=api.new_load("Invoiced"))
    chunks = (body[i : i + 1] for i in range(len(body)))
    headers = {"content-type": "application/json"}
    assert api.client.post(PAYMENTS, content=chunks, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "query", ["", "?", "?loadNumber=", "?loadNumber=%20", "?id=&orderNumber=", "?number=1", "?loadNumber"]
)
def test_read_without_a_key_is_400(untouched: Api, query: str) -> None:
    problem = problem_of(untouched.client.get(LOADS + query), 400)
    assert problem["errors"] == {"$": ["At least one of id, loadNumber, orderNumber is required."]}


@pytest.mark.parametrize(
    "query",
    ["loadNumber=%FF", "loadNumber=%00", "id={0}", "loadNumber=%ED%A0%80", "id=" + "x" * 60_000],
    ids=lambda q: q[:20],
)
def test_odd_keys_are_404(untouched: Api, query: str) -> None:
    problem_of(untouched.client.get(f"{LOADS}?{query}"), 404)


def test_first_of_two_keys_counts_and_all_must_fit(untouched: Api) -> None:
    found = untouched.client.get(f"{LOADS}?LOADNUMBER=Paid%200&loadNumber=Paid%201&x=y")
    assert b'"LoadNumber":"Paid 0"' in found.content
    load = untouched.load("Paid 0")
    fitting = {"id": load["Id"], "loadNumber": "Paid 0", "orderNumber": load["OrderNumber"]}
    for names in product([0, 1], repeat=3):
        params = {name: fitting[name] for name, given in zip(fitting, names, strict=True) if given}
        assert untouched.client.get(LOADS, params=params).status_code == (200 if params else 400)
    for name in fitting:
        problem_of(untouched.client.get(LOADS, params={**fitting, name: "other"}), 404)
        problem_of(untouched.client.get(LOADS, params={name: "other"}), 404)


HEADER = b"Host: x\r\nConnection: close\r\n"
BROKEN = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": bytes.fromhex("1603010200010001fc0303"),
    "a raw byte in the path": b"GET /\xff HTTP/1.1\r\n" + HEADER + b"\r\n",
    "a raw byte in the query": b"GET /api?\xff HTTP/1.1\r\n" + HEADER + b"\r\n",
    "an unknown method": b"BREW / HTTP/1.1\r\n" + HEADER + b"\r\n",
    "an unknown version": b"GET / HTTP/9.9\r\n" + HEADER + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "a header with a NUL": b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
    "a negative length": b"POST / HTTP/1.1\r\n" + HEADER + b"Content-Length: -1\r\n\r\n",
    "a length beyond all bounds": b"POST / HTTP/1.1\r\n" + HEADER + b"Content-Length: %d\r\n\r\n" % 10**30,
    "two lengths": b"POST / HTTP/1.1\r\n" + HEADER + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a length and chunks": b"POST / HTTP/1.1\r\n"
    + HEADER
    + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "CONNECT": b"CONNECT a:1 HTTP/1.1\r\n" + HEADER + b"\r\n",
}


@pytest.mark.parametrize("request_", BROKEN)
def test_broken_http_is_a_problem_too(untouched: Api, request_: str) -> None:
    head, _, body = untouched.raw(BROKEN[request_]).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\ncontent-type: application/problem+json" in head
    assert list(checked_problem(body, 400)["errors"]) == ["$"]


def test_broken_chunks_are_a_problem_too(untouched: Api) -> None:
    head = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    response = untouched.raw(b"POST " + PAYMENTS.encode() + b" HTTP/1.1\r\n" + HEADER + head)
    assert response.startswith(b"HTTP/1.1 400 Bad Request\r\n")


def post_request(body: bytes, *headers: bytes, version: bytes = b"1.1") -> bytes:
    lines = [
        b"POST %b HTTP/%b" % (PAYMENTS.encode(), version),
        b"Host: x",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


@pytest.mark.parametrize("name", [b"Upgrade", b"upgrade", b"UPGRADE"])
def test_offer_of_another_protocol_is_passed_over(api: Api, name: bytes) -> None:
    """Java's HttpClient sends these headers with every request, unless told not to."""
    body = payment(LoadNumber=api.new_load("Invoiced"))
    offer = (
        b"Connection: Upgrade, HTTP2-Settings, close",
        name + b": h2c",
        b"HTTP2-Settings: AAEAAEAAAAIAAAAB",
    )
    assert api.raw(post_request(body, *offer) + body).startswith(b"HTTP/1.1 200 ")


def test_http_1_0_is_served(api: Api) -> None:
    body = payment(LoadNumber=api.new_load("Invoiced"))
    assert api.raw(post_request(body, version=b"1.0") + body).startswith(b"HTTP/1.1 200 ")


def test_client_that_waits_for_100_continue_gets_it(api: Api) -> None:
    body = payment(LoadNumber=api.new_load("Invoiced"))
    with api.connection() as connection:
        connection.sendall(post_request(body, b"Expect: 100-continue", b"Connection: close"))
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_announced_length_over_the_limit_is_refused_before_the_body(untouched: Api) -> None:
    body = b" " * (LIMIT + 1)
    with untouched.connection() as connection:
        connection.sendall(post_request(body, b"Expect: 100-continue"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_pipelined_requests_get_their_responses_in_order(api: Api) -> None:
    numbers = [api.new_load("Invoiced") for _ in range(5)]
    bodies = [payment(LoadNumber=number) for number in numbers]
    requests = [post_request(body) + body for body in bodies]
    requests.append(post_request(b"", b"Connection: close"))
    responses = api.raw(b"".join(requests)).split(b"HTTP/1.1 ")[1:]
    assert [response[:3] for response in responses] == [b"200"] * 5 + [b"400"]
    for number, response in zip(numbers, responses, strict=False):
        assert f'"LoadNumber":"{number}"'.encode() in response


def test_client_that_leaves_in_the_middle_changes_nothing(untouched: Api) -> None:
    body = payment()
    for sent in (post_request(body)[:30], post_request(body), post_request(body) + body[:-1]):
        with untouched.connection() as connection:
            connection.sendall(sent)


def test_slow_client_does_not_hold_up_the_others(api: Api) -> None:
    body = payment(LoadNumber=api.new_load("Invoiced"))
    with api.connection() as connection:
        connection.sendall(post_request(body, b"Connection: close") + body[:10])
        assert api.client.get(LOADS, params={"loadNumber": NUMBER}).status_code == 200
        connection.sendall(body[10:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_hundreds_of_connections_are_served(api: Api) -> None:
    request = f"GET {LOADS}?loadNumber=Paid%200 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    connections = [api.connection() for _ in range(300)]
    for connection in connections:
        connection.sendall(request)
    for connection in connections:
        with connection:
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("depth", [300, 900])
def test_nested_item_is_400(untouched: Api, depth: int) -> None:
    deep = b'{"Status": [%b]}' % (b"[" * depth + b"]" * depth)
    assert "nested too deeply" in problem_of(untouched.post(deep, path=SEARCH), 400)["detail"]
