"""The router: which endpoint a request gets, and that the document and the handlers agree."""

import pytest

from mock_server.handlers import load_handlers
from mock_server.ledger import MemoryLedger
from mock_server.shipped import SPEC
from mock_server.spec import Spec, SpecError
from tests.mock.api import LOADS, PAYMENTS, SEARCH, Api, app_of, checked_problem, problem_of


def test_handler_of_no_operation_is_refused() -> None:
    ledger = MemoryLedger([])
    with pytest.raises(SpecError, match="getNothing has a handler, but is not an operation"):
        app_of(Spec.read(SPEC), ledger, getNothing=load_handlers(ledger)["getLoad"])


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        (method, path, allow)
        for path, allow in ((PAYMENTS, "POST"), (LOADS, "GET"), (SEARCH, "POST"))
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
        if method != allow
    ],
)
def test_wrong_method_is_405_and_names_the_right_one(api: Api, method: str, path: str, allow: str) -> None:
    response = api.client.request(method, path)
    assert response.headers["allow"] == allow
    if method == "HEAD":
        assert (response.status_code, response.content) == (405, b"")
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["content-length"]) > 0
    else:
        assert allow in problem_of(response, 405)["detail"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/api",
        "/api/p/v1.0",
        "/api/p/v1.0/invoices/customer",
        PAYMENTS + "/",
        PAYMENTS + "/x",
        PAYMENTS + "%0A",
        PAYMENTS + "%20",
        PAYMENTS + "%00",
        PAYMENTS + ";a=b",
        LOADS + "%C5%BF",
        "/api/p/v1.0/load%C5%BF",
        "/api/p/v1.0//loads",
        "/api/p/v1.0/loads/LD-1001",
        "/api/p//loads",
        "/api/p/v/loads",
        "/%ff%fe",
        "/%E2%98%83",
        "/%",
        "/%zz",
        "/{0}",
        "/" + "a" * 50_000,
    ],
    ids=lambda path: path[:60],
)
def test_unknown_path_is_404(api: Api, method: str, path: str) -> None:
    host = f"{api.client.base_url.host}:{api.client.base_url.port}"
    request = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    head, _, body = api.raw(request.encode()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert b"\r\ncontent-type: application/problem+json\r\n" in head
    checked_problem(body, 404)
