"""How the suites talk to a target: each body is parsed once, and once more by the guard."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from contract_tests.oracle.oracle import Oracle
from contract_tests.rules.exchange import Exchange, Request, Response
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.findings import Findings
from contract_tests.safety.guard import Refused, Stop
from contract_tests.suites.api import Api
from contract_tests.suites.bursts import pay_at_once
from contract_tests.suites.cases import payment
from mock_server.testing import MockServer
from tests.suite.payments import guarded

PAYABLE, CLOSED = "LD-1001", "LD-1014"


class Parsing:
    """An API on the mock, with the bodies that were sent and received, and those that were parsed."""

    def __init__(self, send: Callable[[Request], Exchange]) -> None:
        self.sent: list[bytes] = []
        self.received: list[bytes] = []
        self.parsed: list[bytes] = []
        self._send = send
        self.api = Api(self.send, Oracle(), Findings(), {"Invoiced": [PAYABLE], "Dispatched": [CLOSED]})

    def send(self, request: Request) -> Exchange:
        exchange = self._send(request)
        self.sent += [request.content] if request.content else []
        self.received.append(exchange.response.content)
        return exchange

    def check(self) -> None:
        """A request is parsed by the suite and by the guard, which has a reader of its own."""
        assert Counter(self.parsed) == Counter([*self.sent * 2, *self.received])


@pytest.fixture
def parsing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Parsing]:
    decode = json.JSONDecoder.decode

    def counted(self: json.JSONDecoder, text: str, *arguments: Any) -> Any:
        if threading.current_thread() not in threads_of_the_mock:
            seen.parsed.append(text.encode())
        return decode(self, text, *arguments)

    others = set(threading.enumerate())
    with MockServer() as mock, guarded(mock.url, is_mock=True) as (client, _, _):
        threads_of_the_mock = set(threading.enumerate()) - others
        seen = Parsing(client.send)
        monkeypatch.setattr(json.JSONDecoder, "decode", counted)
        yield seen


@pytest.mark.parametrize("number", [CLOSED, PAYABLE])
def test_a_payment_and_its_response_are_parsed_once(number: str, parsing: Parsing) -> None:
    parsing.api.pay(payment(number, "R-1"))
    assert (len(parsing.sent), len(parsing.received)) == (1, 3)
    parsing.check()


def test_payments_at_once_and_their_responses_are_parsed_once(parsing: Parsing) -> None:
    load = parsing.api.load(PAYABLE)
    pay_at_once(parsing.api, load, [[payment(load, "R-1")], [payment(load, "R-1")], [payment(load, "R-2")]])
    parsing.check()


def test_payments_at_once_of_which_one_is_stopped_on_its_way_leave_no_old_view_of_their_load() -> None:
    with MockServer() as mock, guarded(mock.url, is_mock=True) as (client, _, _):

        def send(request: Request) -> Exchange:
            if b"<b>" in (request.content or b""):
                raise Refused("something in between takes offence")
            return client.send(request)

        api = Api(send, Oracle(), Findings(), {"Invoiced": [PAYABLE]})
        load = api.load(PAYABLE)
        with pytest.raises(Refused):
            pay_at_once(api, load, [[payment(load, "R-1", Note="<b>")], [payment(load, "R-2")]])
        api.pay(payment(load, "R-3"))
        assert api.findings.failures == []
        assert len(api.load(PAYABLE).payments) == 2


@pytest.mark.parametrize(("status", "failed"), [(ExitStatus.COULD_NOT_TEST, []), (ExitStatus.FAILED, ["R2"])])
def test_only_a_stop_for_what_was_accepted_breaks_a_clause(status: ExitStatus, failed: list[str]) -> None:
    def send(request: Request) -> Exchange:
        if request.method == "POST":
            raise Stop("enough", status, clause="R2" if failed else "")
        load = {
            "Id": "1",
            "LoadNumber": CLOSED,
            "OrderNumber": "1",
            "CustomerId": "1",
            "Status": "Dispatched",
        }
        return Exchange(request, Response(200, {}, json.dumps(load).encode()), "", 0.0)

    api = Api(send, Oracle(), Findings(), {"Dispatched": [CLOSED]})
    with pytest.raises(Stop):
        api.pay(payment(CLOSED, "ct-run-1"), nominal="Dispatched")
    assert [failure.clause for failure in api.findings.failures] == failed
