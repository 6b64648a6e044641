"""Every table of every page is compared with what it is about."""

import inspect
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from string import ascii_lowercase

import click
import pytest
import yaml

from contract_tests.rules.clauses import CLAUSES, Grade
from contract_tests.rules.exit_status import ExitStatus
from contract_tests.rules.questions import QUESTIONS, Question
from contract_tests.safety import credentials
from evaluation.defects import CATALOGUE
from mock_server.cli import EPILOG
from mock_server.console.routes import PAGES
from mock_server.faults import CONDITIONS
from mock_server.shipped import SPEC
from mock_server.testing import MockServer
from mock_server.webhooks import EVENTS
from tests.docs.commands import MAKEFILE, MODULES, options_of, variable
from tests.docs.page import FILES, ROOT, differences, page, plain
from tests.mock.test_clauses import marked_clauses
from tests.suite.test_architecture import ROOMS

Rows = Iterable[tuple[str | None, ...]]

API = yaml.safe_load(SPEC.read_text("utf-8"))
ADMIN_API = yaml.safe_load((ROOT / "mock_server" / "admin.yaml").read_text("utf-8"))
FAULT = ADMIN_API["components"]["schemas"]["Fault"]["properties"]


def clauses(grade: Grade, letter: str) -> Rows:
    return [
        (each.id, each.sentence) for each in CLAUSES.values() if (each.grade, each.id[0]) == (grade, letter)
    ]


def questions() -> Rows:
    return [(each.id, each.question, each.expected) for each in QUESTIONS.values()]


def assumptions() -> Rows:
    """A row for each assumption that a test of the mock names."""
    return [(name, None, None) for name in sorted(set(marked_clauses())) if name.startswith("A")]


def request_fields() -> Rows:
    schemas = API["components"]["schemas"]
    request, amount = schemas["CustomerPaymentRequest"], schemas["PaymentAmount"]
    for name in request["properties"]:
        if name != "Amount":
            yield field(request, name)
    for name in amount["properties"]:
        yield field(amount, name, "Amount.")


def field(
    schema: dict[str, dict[str, dict[str, object]]], name: str, prefix: str = ""
) -> tuple[str | None, ...]:
    described = schema["properties"][name]
    if "$ref" in described:
        described = API["components"]["schemas"][str(described["$ref"]).rpartition("/")[2]]
    types = described["type"]
    written = " or ".join(types) if isinstance(types, list) else str(types)
    return prefix + name, written, "yes" if name in schema["required"] else "no", None


def mock_options() -> Rows:
    for name, option in options_of("alvys-mock").items():
        value = option.to_info_dict()["default"]
        if option.multiple:
            value = next(iter(value or ()), None)
        if isinstance(value, Path):
            value = value.relative_to(ROOT)
        default = "" if option.is_flag or value is None else str(value)
        yield name, variable("alvys-mock", option), default, None


def suite_options() -> Rows:
    for name, option in options_of("alvys-contract").items():
        yield name, variable("alvys-contract", option), None


def credential_variables() -> Rows:
    names = (
        value for name, value in vars(credentials).items() if name.isupper() and not name.startswith("_")
    )
    return [(name, None) for name in names if str(name).startswith("ALVYS_")]


def fault_fields(*, conditions: bool) -> Rows:
    return [(name, None) for name in FAULT if (name in CONDITIONS) == conditions]


def admin_operations() -> Rows:
    for path, item in ADMIN_API["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield f"{method.upper()} {path}", f"{operation['summary']}."


def parts() -> Rows:
    return [(name, None) for name in ADMIN_API["components"]["schemas"]["Part"]["enum"]]


def filters() -> Rows:
    return [(each["name"], None) for each in ADMIN_API["paths"]["/_mock/requests"]["get"]["parameters"]]


def journal_fields() -> Rows:
    return [(name, None) for name in ADMIN_API["components"]["schemas"]["Request"]["properties"]]


def members() -> Rows:
    yield "alvys_mock.url", None
    for name, value in vars(MockServer).items():
        if name.startswith("_"):
            continue
        if isinstance(value, property):
            yield f"alvys_mock.{name}", None
        else:
            parameters = list(inspect.signature(value).parameters.values())[1:]
            words = ", ".join(str(each).partition(":")[0] for each in parameters)
            yield f"alvys_mock.{name}({words})".replace("*", ""), None


def exit_statuses() -> Rows:
    # The sentence under each member of the enum, which Python itself forgets.
    source = inspect.getsource(ExitStatus)
    for name, value, sentence in re.findall(
        r'^    (\w+) = (\d)\n    """(.*?)"""', source, re.DOTALL | re.MULTILINE
    ):
        yield value, name, " ".join(sentence.split())


def modules() -> Rows:
    package = ROOT / "mock_server"
    paths = (path.relative_to(package).with_suffix("") for path in package.rglob("[!_]*.py"))
    return [(".".join(path.parts), None) for path in paths]


def rooms() -> Rows:
    return [(path.parent.name, None) for path in (ROOT / "contract_tests").glob("*/__init__.py")]


def kinds() -> Rows:
    (argument,) = (each for each in MODULES["evaluation"].params if isinstance(each, click.Argument))
    assert isinstance(argument.type, click.Choice)
    return [(name, None, None) for name in argument.type.choices]


def make_targets() -> Rows:
    return [
        (f"make {target}", None, None) for target in re.findall(r"^([a-z]+):.*stamp$", MAKEFILE, re.MULTILINE)
    ]


def console_pages() -> Rows:
    return [(each.title, each.path, None) for each in PAGES]


EXPECTED: dict[tuple[str, str], Callable[[], Rows]] = {
    ("docs/contract.md", "The endpoint"): request_fields,
    ("docs/contract.md", "The rules of the page"): lambda: clauses("documented", "R"),
    ("docs/contract.md", "What its tables say"): lambda: clauses("documented", "D"),
    ("docs/contract.md", "What is published elsewhere"): lambda: clauses("published", "P"),
    ("docs/contract.md", "What is assumed"): assumptions,
    ("docs/contract.md", "What the suite observes"): questions,
    ("docs/options.md", "The mock"): mock_options,
    ("docs/options.md", "The contract suite"): suite_options,
    ("docs/options.md", "Credentials"): credential_variables,
    ("docs/faults.md", "When a fault applies"): lambda: fault_fields(conditions=True),
    ("docs/faults.md", "What a fault does"): lambda: fault_fields(conditions=False),
    ("docs/admin-api.md", "Operations"): admin_operations,
    ("docs/admin-api.md", "Parts"): parts,
    ("docs/admin-api.md", "Filters"): filters,
    ("docs/admin-api.md", "Entries"): journal_fields,
    ("docs/webhooks.md", "Events"): lambda: [(name, None, None) for name in EVENTS],
    ("docs/webhooks.md", "What goes wrong"): lambda: [(name, None) for name in FAULT["webhook"]["enum"]],
    ("docs/testing.md", "In your tests"): members,
    ("docs/console.md", "The console"): console_pages,
    ("docs/contract-suite.md", "Exit status"): exit_statuses,
    ("docs/how-it-is-made.md", "The mock"): modules,
    ("docs/how-it-is-made.md", "The contract suite"): rooms,
    ("docs/evaluation.md", "Who tests the tests"): kinds,
    ("CONTRIBUTING.md", "How long each command takes"): make_targets,
}
"""What the rows of each table must be; None stands for words that only people can check."""

ELSEWHERE = {
    ("docs/contract-suite.md", "The suites"): "test_costs",
    ("docs/contract-suite.md", "The JSON report"): "test_costs",
    ("docs/contract-suite.md", "The road"): "tests/suite/test_road.py, by what it says",
    ("docs/deploy.md", "A sandbox for several teams"): "test_deploy",
    ("docs/deploy.md", "Health and readiness"): "test_deploy",
    ("docs/deploy.md", "What to watch"): "test_deploy",
    ("docs/nightly.md", "What a run that only reads can judge"): "test_nightly",
    ("docs/other-documents.md", "What responds with examples"): "tests/mock/test_foreign.py",
    ("docs/performance.md", "Performance"): "nothing but `make bench`",
    ("docs/state.md", "What it promises"): "nothing but `python -m evaluation durability`",
    ("docs/webhooks.md", "Headers"): "tests/mock/test_webhooks.py",
    ("README.md", "What is documented and what is assumed"): "test_readme_counts_the_rows",
    ("CONTRIBUTING.md", "Where things are"): "test_links_lead_to_files_and_headings",
}
"""Who compares the other tables."""


def test_every_table_is_compared() -> None:
    tables = {(name, table.heading) for name in FILES for table in page(name).tables}
    assert tables == EXPECTED.keys() | ELSEWHERE.keys()


@pytest.mark.parametrize(("name", "heading"), EXPECTED)
def test_table_says_what_is(name: str, heading: str) -> None:
    found = differences(page(name), heading, list(EXPECTED[name, heading]()))
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_mock_help_lists_the_fields_of_a_fault() -> None:
    assert set(re.findall(r"\b(\w+)=", EPILOG.split("A fault says")[1])) == set(FAULT)


ASKED = [each for each in QUESTIONS.values() if each.id[0] == "A" and not each.expected.startswith("type ")]
"""The questions that belong to a row of assumptions, but for whole problem documents."""


@pytest.mark.parametrize("question", ASKED, ids=lambda question: question.id)
def test_assumption_says_what_the_mock_does(question: Question) -> None:
    name = question.id.rstrip(ascii_lowercase)
    (answer,) = (row[2] for row in page("docs/contract.md").table("What is assumed").rows if row[0] == name)
    missing = words(question.expected) - words(answer)
    message = (
        f"docs/contract.md, row {name} does not say {missing}, but {question.id} of "
        f"contract/assumptions.yaml says that the mock's answer is: {question.expected}"
    )
    if missing:
        pytest.fail(message, pytrace=False)


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", plain(text).lower()))


def test_catalogue_is_as_long_as_said() -> None:
    assert f"one of {len(CATALOGUE)} seeded defects" in page("docs/evaluation.md").text


def test_readme_counts_the_rows() -> None:
    rows = page("README.md").table("What is documented and what is assumed").rows
    told = set(re.findall(r"[A-Z]\d+ to [A-Z]\d+", " ".join(row[3] for row in rows)))
    ids = {*CLAUSES, *QUESTIONS, *marked_clauses()}
    numbers = {
        letter: [int(each[1:]) for each in ids if re.fullmatch(rf"{letter}\d+", each)] for letter in "RDPAQ"
    }
    assert told == {f"{letter}{min(found)} to {letter}{max(found)}" for letter, found in numbers.items()}


def test_drawing_of_the_rooms_shows_what_each_may_import() -> None:
    (drawing,) = (
        each for each in page("docs/how-it-is-made.md").blocks_in("mermaid") if "suites" in each.text
    )
    arrows = re.findall(r"^ *(\w+) --> (.+)$", drawing.text, re.MULTILINE)
    assert {room: set(others.split(" & ")) for room, others in arrows} == {
        room: others for room, others in ROOMS.items() if others
    }
