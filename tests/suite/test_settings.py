"""The options of a run, their variables and their defaults."""

from decimal import Decimal
from pathlib import Path

import certifi
import click
import pytest

from contract_tests.run.cli import OPTIONS, arguments_of, settings_from
from contract_tests.run.settings import SUITES, OperationRate, Settings
from contract_tests.safety.origin import Origin
from contract_tests.safety.rate import ALL, OPERATIONS, PUBLISHED
from mock_server.rates import Rate

REMOTE = "https://api.example.com"


@pytest.fixture
def loads(tmp_path: Path) -> Path:
    path = tmp_path / "loads.yaml"
    path.write_text("Invoiced: LD-1\n")
    return path


def asked(**given: object) -> Settings:
    """The settings of a run that is asked for with these options."""
    return settings_from(given)


def test_by_default_the_mock_is_tested_with_everything_and_without_limits() -> None:
    settings = asked()
    assert settings.is_mock
    assert settings.suites == SUITES
    assert (settings.max_payments, settings.max_amount, settings.max_requests) == (None,) * 3
    assert (settings.rates, settings.spacing) == ((), 0)
    assert settings.record is None


def test_a_remote_target_is_tested_at_the_published_limits_by_default() -> None:
    settings = asked(target=REMOTE)
    assert settings.suites == ("reads",)
    assert settings.limits == PUBLISHED
    assert not settings.record_payments
    assert (settings.max_payments, settings.max_amount, settings.max_requests) == (8, Decimal("3.00"), 600)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080", "127.9.9.9"])
def test_a_target_on_loopback_has_no_rate(host: str) -> None:
    settings = asked(target=f"http://{host}")
    assert (settings.rates, settings.max_requests) == ((), 20_000)


@pytest.mark.parametrize("host", ["127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "0x7f.1"])
def test_a_name_that_looks_like_loopback_has_a_rate(host: str) -> None:
    assert asked(target=f"http://{host}").limits == PUBLISHED


def test_a_rate_for_one_operation_leaves_the_others_as_they_are() -> None:
    limits = asked(target=REMOTE, rates=("getload=1/m", "other=20/hour")).limits
    assert limits == {**PUBLISHED, "getLoad": (1, 60), "other": (20, 3600)}
    assert asked(target="http://127.0.0.1", rates=("getLoad=1/m",)).limits == {"getLoad": (1, 60)}


def test_a_rate_for_all_takes_the_place_of_the_published_ones() -> None:
    assert asked(target=REMOTE, rates=("8/s",)).limits == {ALL: (8, 1)}
    limits = asked(target=REMOTE, rates=("8/s", "recordCustomerPayment=10/m")).limits
    assert limits == {ALL: (8, 1), "recordCustomerPayment": (10, 60)}


def test_consent_adds_rejects_and_smoke(loads: Path) -> None:
    def suites(**given: object) -> tuple[str, ...]:
        return asked(target=REMOTE, loads=loads, record_payments=True, **given).suites

    assert suites() == suites(max_payments=50) == ("reads", "rejects", "smoke")
    assert suites(max_payments=51) == SUITES
    assert suites(suites=("fuzz", "reads")) == ("reads", "fuzz")
    assert asked(target=REMOTE, max_payments=51).suites == ("reads",)


def test_a_record_is_kept_where_money_is_real(loads: Path) -> None:
    def record(**given: object) -> Path | None:
        settings = asked(target=REMOTE, loads=loads, **given)
        return settings.record and Path(settings.record.name.replace(settings.run_id, "abc"))

    assert record(record_payments=True) == Path("alvys-contract-abc.jsonl")
    assert record(record_payments=True, plan=True) is None
    assert record() == Path("alvys-contract-abc.jsonl"), (
        "without consent too: a service may book all the same"
    )
    assert asked(target="mock").record is None


def test_a_run_id_resumes_a_run_but_none_of_the_mock_which_is_new() -> None:
    assert asked(target=REMOTE, run_id="abc").resumed
    assert not asked(run_id="abc").resumed
    first, second = asked(target=REMOTE), asked(target=REMOTE)
    assert not first.resumed
    assert first.run_id != second.run_id


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"target": "mok"}, "'--target': it must be 'mock' or a URL"),
        ({"target": ""}, "'--target': it must be 'mock' or a URL"),
        ({"target": "ftp://a"}, "'--target'"),
        ({"target": "https://user:secret@a"}, "'--target': the URL may hold no user"),
        ({"target": "https://a/?key=1"}, "'--target'"),
        ({"loads": "/nowhere.yaml"}, "'--loads': File '/nowhere.yaml' does not exist"),
        ({"target": REMOTE, "record_payments": True}, "--record-payments needs --loads"),
        ({"rates": ("fast",)}, "'fast' is not a rate; write it as"),
        ({"rates": ("0/minute",)}, "'--rate'"),
        (
            {"rates": ("getLoads=5/m",)},
            f"'getLoads' is no operation; write one of {', '.join(OPERATIONS)}.",
        ),
        ({"rates": ("=5/m",)}, "'' is no operation"),
        ({"spacing": "-1"}, "'--spacing': '-1' is not a time in seconds"),
        ({"patience": "0"}, "'--patience': '0' is not a time in seconds"),
        ({"ca": "/nowhere.pem"}, "'--ca': /nowhere.pem holds no certificates in PEM form"),
        ({"ca": __file__}, "holds no certificates in PEM form"),
        ({"max_payments": "-1"}, "'--max-payments': '-1' is not a whole number; write 0 or more"),
        ({"max_payments": "1.5"}, "'--max-payments'"),
        ({"max_requests": "many"}, "'--max-requests'"),
        ({"max_amount": "NaN"}, "'--max-amount': 'NaN' is not an amount; write it as 3.00"),
        ({"max_amount": "-1"}, "'--max-amount'"),
        ({"max_amount": "a lot"}, "'--max-amount'"),
        ({"examples": "x"}, "'--examples'"),
        ({"seed": "x"}, "'--seed'"),
        ({"suites": ("smoke", "smok")}, "'smok' is not one of 'reads', 'rejects', 'smoke'"),
        ({"run_id": "a b"}, "'--run-id': 'a b' is not a run id; write up to 32 letters"),
        ({"run_id": "../a"}, "'--run-id'"),
        (
            {"report": "nowhere/r.html"},
            "'--report': nowhere/r.html cannot be written; name a file in a folder",
        ),
        ({"record": "/"}, "'--record': / cannot be written"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(click.UsageError) as error:
        settings_from(given)
    assert sentence in error.value.format_message()
    assert "secret" not in error.value.format_message()


BASELINE = Path(__file__).with_name("last_report.json")
VALUES = {
    "state": ("sqlite:///x.db", "sqlite:///x.db"),
    "target": ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    "loads": (__file__, Path(__file__)),
    "record_payments": ("yes", True),
    "max_payments": ("3", 3),
    "max_amount": ("1.50", Decimal("1.50")),
    "rates": (
        "8/second, getLoad=5/m",
        (OperationRate(ALL, Rate(8, 1)), OperationRate("getLoad", Rate(5, 60))),
    ),
    "spacing": ("0.5", 0.5),
    "patience": ("30", 30),
    "max_requests": ("9", 9),
    "suites": ("smoke, reads", ("reads", "smoke")),
    "examples": ("0", 0),
    "seed": ("7", 7),
    "report": ("r.html", Path("r.html")),
    "json": ("r.json", Path("r.json")),
    "junit": ("r.xml", Path("r.xml")),
    "plan": ("1", True),
    "run_id": ("abc", "abc"),
    "record": ("r.jsonl", Path("r.jsonl")),
    "deadline": ("5.5", 5.5),
    "ca": (certifi.where(), Path(certifi.where())),
    "max_response": ("4096", 4096),
    "settle": ("1.5", 1.5),
    "profile": ("p.yaml", Path("p.yaml")),
    "revision": ("2026-07", "2026-07"),
    "baseline": (str(BASELINE), BASELINE),
    "fail_on_change": ("true", True),
}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_has_a_variable_that_counts_less(
    option: click.Option, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = option.name or ""
    text, value = VALUES[name]
    usual = getattr(asked(), name)
    if name == "fail_on_change":
        monkeypatch.setenv("ALVYS_CONTRACT_BASELINE", str(BASELINE))
    variable = "ALVYS_CONTRACT_" + option.opts[0].removeprefix("--").upper().replace("-", "_")
    monkeypatch.setenv(variable, text)
    assert getattr(asked(), name) == value
    if name in {"target", "examples", "seed"}:
        assert getattr(settings_from({name: usual}), name) == usual
    monkeypatch.setenv(variable, "")
    assert type(getattr(asked(), name)) is type(usual), "an empty variable is not set"


def test_a_flag_that_is_neither_true_nor_false_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALVYS_CONTRACT_RECORD_PAYMENTS", "0")
    assert not asked().record_payments
    monkeypatch.setenv("ALVYS_CONTRACT_RECORD_PAYMENTS", "maybe")
    with pytest.raises(click.UsageError, match="'maybe' is not a valid boolean"):
        asked()


def test_what_was_parsed_is_handed_on_to_pytest_as_it_was_given(tmp_path: Path) -> None:
    log = tmp_path / "r.jsonl"
    log.touch()
    given = {name: value for name, (_, value) in VALUES.items()} | {"record": log}
    state = given.pop("state")  # only a mock has one, and the target is a service
    settings = settings_from(given)
    assert {name: getattr(settings, name) for name in given} == given
    assert settings_from({"state": state}).state == state


def test_an_explicit_mock_is_handed_on_past_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALVYS_CONTRACT_TARGET", REMOTE)
    assert arguments_of({"target": "mock", "plan": False, "rates": ()}) == ["--target=mock"]
    assert asked(target="mock").is_mock


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
