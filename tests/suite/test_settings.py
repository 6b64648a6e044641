"""The options of a run, their variables and their defaults."""

from decimal import Decimal
from pathlib import Path

import click
import pytest

from contract_tests.run.cli import main
from contract_tests.run.options import OPTIONS, Given, OptionError
from contract_tests.run.settings import SUITES, resolve
from contract_tests.safety.origin import Origin
from mock_server.rates import Rate

REMOTE = "https://api.example.com"
LOCAL = "http://127.0.0.1:8080"


@pytest.fixture
def loads(tmp_path: Path) -> str:
    path = tmp_path / "loads.yaml"
    path.write_text("Invoiced: LD-1\n")
    return str(path)


def test_by_default_the_mock_is_tested_with_everything_and_without_limits() -> None:
    settings = resolve({}, {})
    assert settings.is_mock
    assert settings.suites == SUITES
    assert (settings.max_payments, settings.max_amount, settings.max_requests, settings.rate) == (None,) * 4
    assert settings.record is None


def test_a_remote_target_is_read_ten_times_a_minute_by_default() -> None:
    settings = resolve({"target": REMOTE}, {})
    assert settings.suites == ("reads",)
    assert settings.rate == Rate(10, 60)
    assert not settings.record_payments
    assert (settings.max_payments, settings.max_amount, settings.max_requests) == (8, Decimal("3.00"), 600)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080", "127.9.9.9"])
def test_a_target_on_loopback_has_no_rate(host: str) -> None:
    assert resolve({"target": f"http://{host}"}, {}).rate is None


@pytest.mark.parametrize("host", ["127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "0x7f.1"])
def test_a_name_that_looks_like_loopback_has_a_rate(host: str) -> None:
    assert resolve({"target": f"http://{host}"}, {}).rate == Rate(10, 60)


def test_consent_adds_rejects_and_smoke(loads: str) -> None:
    given: dict[str, Given] = {"target": REMOTE, "record-payments": True, "loads": loads}
    assert resolve(given, {}).suites == ("reads", "rejects", "smoke")
    assert resolve({**given, "max-payments": "50"}, {}).suites == ("reads", "rejects", "smoke")
    assert resolve({**given, "max-payments": "51"}, {}).suites == SUITES
    assert resolve({"target": REMOTE, "max-payments": "51"}, {}).suites == ("reads",)


def test_a_record_is_kept_where_money_is_real(loads: str) -> None:
    given: dict[str, Given] = {"target": REMOTE, "record-payments": True, "loads": loads, "run-id": "abc"}
    assert resolve(given, {}).record == Path("alvys-contract-abc.jsonl")
    assert resolve({**given, "plan": True}, {}).record is None
    assert resolve({"target": REMOTE}, {}).record is None


def test_a_run_id_resumes_a_run() -> None:
    assert resolve({"run-id": "abc"}, {}).resumed
    first, second = resolve({}, {}), resolve({}, {})
    assert not first.resumed
    assert first.run_id != second.run_id


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"target": "mok"}, "--target: it must be 'mock' or a URL"),
        ({"target": "ftp://a"}, "--target"),
        ({"target": "https://user:secret@a"}, "--target: the URL may hold no user"),
        ({"target": "https://a/?key=1"}, "--target"),
        ({"loads": "/nowhere.yaml"}, "--loads: there is no file"),
        ({"target": REMOTE, "record-payments": True}, "--record-payments needs --loads"),
        ({"rate": "fast"}, "--rate: 'fast' is not a rate"),
        ({"rate": "0/minute"}, "--rate"),
        ({"max-payments": "-1"}, "--max-payments: '-1' is no whole number"),
        ({"max-payments": "1.5"}, "--max-payments"),
        ({"max-requests": "many"}, "--max-requests"),
        ({"max-amount": "NaN"}, "--max-amount: 'NaN' is no amount"),
        ({"max-amount": "-1"}, "--max-amount"),
        ({"max-amount": "a lot"}, "--max-amount"),
        ({"examples": "x"}, "--examples"),
        ({"seed": "x"}, "--seed"),
        ({"suite": ("smoke", "smok")}, "--suite: there is no suite 'smok'"),
        ({"run-id": "a b"}, "--run-id"),
        ({"run-id": "../a"}, "--run-id"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(given: dict[str, Given], sentence: str) -> None:
    with pytest.raises(OptionError) as error:
        resolve(given, {})
    assert sentence in str(error.value)
    assert "secret" not in str(error.value)


VALUES = {
    "target": (LOCAL, "target", LOCAL),
    "max-payments": ("3", "max_payments", 3),
    "max-amount": ("1.50", "max_amount", Decimal("1.50")),
    "rate": ("8/second", "rate", Rate(8, 1)),
    "max-requests": ("9", "max_requests", 9),
    "suite": ("smoke, reads", "suites", ("reads", "smoke")),
    "examples": ("0", "examples", 0),
    "seed": ("7", "seed", 7),
    "report": ("r.html", "report", Path("r.html")),
    "json": ("r.json", "json", Path("r.json")),
    "junit": ("r.xml", "junit", Path("r.xml")),
    "plan": ("1", "plan", True),
    "run-id": ("abc", "run_id", "abc"),
    "record": ("r.jsonl", "record", Path("r.jsonl")),
    "record-payments": ("yes", "record_payments", True),
}


@pytest.mark.parametrize("option", [one for one in OPTIONS if one.name != "loads"], ids=lambda one: one.name)
def test_every_option_has_a_variable(option: object) -> None:
    name = getattr(option, "name", "")
    text, attribute, value = VALUES[name]
    variable = "ALVYS_CONTRACT_" + name.upper().replace("-", "_")
    assert getattr(resolve({}, {variable: text}), attribute) == value


def test_the_loads_file_has_a_variable(loads: str) -> None:
    assert resolve({}, {"ALVYS_CONTRACT_LOADS": loads}).loads == Path(loads)


def test_an_option_goes_before_its_variable() -> None:
    assert resolve({"seed": "1"}, {"ALVYS_CONTRACT_SEED": "2"}).seed == 1


def test_a_flag_that_is_neither_true_nor_false_is_refused() -> None:
    assert not resolve({}, {"ALVYS_CONTRACT_RECORD_PAYMENTS": "0"}).record_payments
    with pytest.raises(OptionError, match="must be 1 or 0"):
        resolve({}, {"ALVYS_CONTRACT_RECORD_PAYMENTS": "maybe"})


def test_the_command_line_has_every_option_with_its_variable() -> None:
    parameters = [one for one in main.params if isinstance(one, click.Option)]
    assert [one.opts[0] for one in parameters] == [option.flag for option in OPTIONS]
    for parameter, option in zip(parameters, OPTIONS, strict=True):
        assert option.variable in (parameter.help or "")


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("https://API.example.com/", "https://api.example.com"),
        ("https://a.example/alvys/", "https://a.example/alvys"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://a.example:8443", "https://a.example:8443"),
    ],
)
def test_a_base_url_has_one_form(text: str, printed: str) -> None:
    assert str(Origin.parse(text)) == printed
