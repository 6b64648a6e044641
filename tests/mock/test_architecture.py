"""What each module of the mock may import and say."""

import ast
import re
import sys
from http import HTTPStatus
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "mock_server"
PACKAGES = {"mock_server", "mock_server.answers", "mock_server.console", "mock_server.foreign"}

MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {".cli"},
    "answers.__init__": set(),
    "domain": set(),
    "instants": set(),
    "clock": set(),
    "rates": set(),
    "shipped": set(),
    "decimal_json": {"msgspec"},
    "documents": {"yaml", ".decimal_json"},
    "schemas": {".decimal_json", "jsonschema_rs", ".instants"},
    "spec": {"starlette", ".documents", ".foreign.examples", ".schemas"},
    # What reads and serves documents that are not ours: imported for those only.
    "foreign.__init__": set(),
    "foreign.samples": {"rstr"},
    "foreign.examples": {".foreign.samples", ".schemas", ".spec"},
    "foreign.dialect": {"jsonschema_rs", ".decimal_json", ".spec"},
    "foreign.parameters": {"starlette", ".decimal_json", ".foreign.examples", ".schemas", ".spec"},
    "foreign.operations": {".foreign.dialect", ".foreign.parameters", ".schemas", ".spec"},
    "foreign.fitting": {".foreign.examples", ".responses", ".spec"},
    "foreign.standins": {".decimal_json", ".foreign.examples", ".foreign.operations", ".handlers"}
    | {".problems", ".spec", ".trace"},
    "ledger": {".domain"},
    "invoices": {".domain"},
    # What keeps loads in a database: imported for those who want that.
    "tables": {"sqlalchemy", ".decimal_json", ".domain"},
    "transactions": {"asyncpg", "sqlalchemy", ".ledger", ".problems", ".tables"},
    "ledger_sql": {"sqlalchemy", ".transactions", ".decimal_json", ".domain", ".ledger", ".tables"},
    "replicas": {"sqlalchemy", "starlette", ".clock", ".decimal_json", ".journal", ".journal_sql"}
    | {
        ".limits",
        ".limits_sql",
        ".origins",
        ".problems",
        ".rates",
        ".sharing",
        ".spec",
        ".tables",
        ".transactions",
    },
    "journal_sql": {"msgspec", "sqlalchemy", ".causes", ".decimal_json", ".journal", ".problems", ".trace"}
    | {".transactions"},
    "limits_sql": {"sqlalchemy", ".clock", ".limits", ".rates", ".tables", ".transactions"},
    "profiles": {".documents", ".shipped"},
    "revisions": {"jsonpath", ".decimal_json", ".documents", ".foreign.operations", ".shipped", ".spec"},
    "policy": {
        ".decimal_json",
        ".domain",
        ".handlers",
        ".ledger",
        ".problems",
        ".profiles",
        ".responses",
        ".spec",
    }
    | {".revisions", ".trace"}
    | {".answers.courses", ".answers.envelope", ".answers.reading", ".answers.terms", ".answers.wording"},
    # What plays other answers than the defaults: only policy imports it, and only when it is needed.
    "answers.lenient_json": {".decimal_json"},
    "answers.conversions": {".decimal_json", ".instants", ".spec"},
    "answers.demands": {".answers.conversions"},
    "answers.envelope": {"starlette", ".problems", ".spec"},
    "answers.reading": {".answers.conversions", ".answers.demands", ".answers.envelope"}
    | {".answers.lenient_json", ".decimal_json", ".spec"},
    "answers.terms": {".answers.envelope", ".domain", ".instants", ".problems", ".responses"},
    "answers.courses": {".answers.envelope", ".domain", ".handlers", ".instants", ".ledger"}
    | {".problems", ".responses"},
    "answers.wording": {".decimal_json", ".problems", ".trace"},
    "trace": {"starlette", ".spec"},
    "problems": {".decimal_json", ".domain", ".spec", ".trace"},
    "responses": {
        "msgspec",
        ".decimal_json",
        ".domain",
        ".foreign.fitting",
        ".instants",
        ".invoices",
        ".spec",
    },
    "handlers": {".domain", ".instants", ".invoices", ".ledger", ".problems", ".responses", ".trace"},
    "opening": {".decimal_json", ".documents", ".domain", ".handlers", ".instants", ".schemas", ".spec"},
    "tokens": {"jwt", "starlette", ".clock", ".handlers", ".problems", ".responses", ".spec"},
    "limits": {"pyrate_limiter", "starlette", ".clock", ".problems", ".rates", ".spec", ".tokens"},
    "output": set(),
    "origins": {"starlette", ".endpoint", ".problems", ".spec"},
    "cors": {"starlette", ".router"},
    "openapi": {"starlette", "yaml", ".decimal_json", ".endpoint", ".problems", ".spec", ".trace"},
    "causes": {".domain", ".handlers", ".problems", ".responses", ".trace"},
    "journal": {".causes", ".instants", ".reasons", ".responses", ".trace"},
    # Imported when somebody asks why.
    "reasons": {"starlette", ".causes", ".domain", ".journal", ".problems", ".trace"},
    "endpoint": {"starlette", ".decimal_json", ".handlers", ".policy", ".problems", ".responses"}
    | {".schemas", ".spec", ".trace"},
    "sharing": {"starlette", ".clock", ".endpoint", ".journal", ".limits", ".rates", ".spec"},
    "faults": {"starlette", ".decimal_json", ".endpoint", ".problems", ".schemas", ".sharing", ".spec"}
    | {".trace"},
    "webhooks": {".clock", ".courier", ".decimal_json", ".domain", ".faults", ".instants", ".ledger"}
    | {".problems", ".responses", ".sharing", ".trace"},
    # Imported with the first webhook.
    "courier": {"httpcore2"},
    "receiver": {"starlette", ".decimal_json", ".endpoint", ".serving", ".webhooks"},
    "shared_world": {".decimal_json", ".problems", ".trace", ".webhooks"},
    # The pages: all but their routes are imported with the first of them.
    "console.__init__": set(),
    "console.routes": {"starlette", ".console.rendering", ".endpoint", ".openapi", ".problems", ".trace"},
    "console.contract": {".documents", ".profiles", ".revisions", ".shipped"},
    "console.rendering": {"jinja2", "markupsafe", "swagger_ui_bundle", ".console.contract", ".console.routes"}
    | {".documents", ".shipped"},
    "router": {
        "starlette",
        ".clock",
        ".console.routes",
        ".endpoint",
        ".faults",
        ".handlers",
        ".openapi",
        ".policy",
    }
    | {".problems", ".spec", ".trace"},
    # Imported when somebody listens.
    "events": {"starlette", ".decimal_json", ".endpoint", ".journal", ".problems", ".trace"},
    "metrics": {".causes", ".endpoint", ".journal", ".problems", ".trace"},
    "har": {".instants", ".journal"},
    "verification": {".decimal_json", ".journal", ".problems"},
    "admin": {"msgspec", ".clock", ".decimal_json", ".documents", ".domain", ".events", ".faults"}
    | {".handlers", ".har", ".metrics", ".trace", ".verification"}
    | {".instants", ".journal", ".ledger", ".limits", ".opening", ".problems", ".responses", ".schemas"}
    | {".sharing", ".shipped", ".spec", ".tokens", ".webhooks", ".worlds"},
    "worlds": {"starlette", ".clock", ".endpoint", ".problems", ".router", ".sandbox", ".trace"},
    "sandbox": {
        "starlette",
        ".admin",
        ".cors",
        ".clock",
        ".console.rendering",
        ".console.routes",
        ".transactions",
        ".domain",
        ".endpoint",
        ".faults",
        ".foreign.operations",
        ".foreign.standins",
        ".journal",
        ".ledger",
        ".ledger_sql",
    }
    | {
        ".openapi",
        ".origins",
        ".policy",
        ".problems",
        ".profiles",
        ".rates",
        ".reasons",
        ".replicas",
        ".revisions",
        ".router",
        ".sharing",
        ".spec",
    }
    | {".tokens", ".webhooks", ".worlds"},
    "connection": {"httptools", "starlette", ".problems", ".schemas", ".trace"},
    "serving": {"starlette", "uvloop", ".connection"},
    # Imported for those who want https.
    "tls": {"trustme"},
    "testing": {".decimal_json", ".domain", ".journal", ".ledger", ".opening", ".problems", ".responses"}
    | {".receiver", ".sandbox", ".serving", ".shared_world", ".shipped", ".tls", ".trace", ".webhooks"},
    "pytest_plugin": {"pytest", ".sandbox", ".testing"},
    "reloading": {".documents"},
    "cli": {
        "click",
        "starlette",
        ".reloading",
        ".tls",
        ".decimal_json",
        ".documents",
        ".domain",
        ".endpoint",
        ".handlers",
        ".journal",
    }
    | {
        ".ledger",
        ".opening",
        ".output",
        ".problems",
        ".profiles",
        ".revisions",
        ".router",
        ".sandbox",
        ".serving",
        ".shipped",
        ".spec",
        ".tokens",
        ".webhooks",
    },
}
"""Beside the standard library; a dot stands for this package."""

WIRE_NAMES = {"Amount", "Currency", "LoadNumber", "ReferenceNumber", "CustomerPayments", "PaymentDate"}


def modules() -> dict[str, ast.Module]:
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): ast.parse(path.read_text())
        for path in PACKAGE.rglob("*.py")
    }


def imports_of(tree: ast.Module) -> set[str]:
    return all_imports_of(tree) - set(sys.stdlib_module_names)


def all_imports_of(tree: ast.Module) -> set[str]:
    """Those of the standard library too."""
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {node.module or "" for node in froms if node.module not in PACKAGES}
    names |= {f"{node.module}.{one.name}" for node in froms if node.module in PACKAGES for one in node.names}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return {
        name.removeprefix("mock_server") if name.startswith("mock_server.") else name.split(".")[0]
        for name in names
    }


def strings_of(tree: ast.Module) -> list[str]:
    """All strings but docstrings."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in prose)
    return [node.value for node in constants if isinstance(node.value, str)]


def calls_of(tree: ast.Module) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_every_module_imports_what_it_may_and_no_more() -> None:
    assert {name: imports_of(tree) for name, tree in modules().items()} == MAY_IMPORT


def test_only_policy_imports_what_plays_other_answers() -> None:
    importing = {name for name, tree in modules().items() if ".answers." in " ".join(imports_of(tree))}
    assert {name for name in importing if not name.startswith("answers.")} == {"policy"}


def test_what_serves_documents_of_others_is_imported_late() -> None:
    """At the top of a module, only its own kind imports it, and type checkers do."""
    early = {
        name
        for name, tree in modules().items()
        if ".foreign."
        in " ".join(imports_of(ast.Module([node for node in tree.body if is_import(node)], [])))
    }
    assert {name for name in early if not name.startswith("foreign.")} == set()


def is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def test_no_path_of_the_api_stands_in_python() -> None:
    for name, tree in modules().items():
        assert [text for text in strings_of(tree) if "/api" in text or "{version}" in text] == [], name


def test_money_is_never_a_float() -> None:
    """`float` measures a number's range in one place and computes nothing; elsewhere it counts seconds.

    Only the terms of a profile compute with it, as services do that keep doubles.
    """
    using = {name for name, tree in modules().items() if "float" in calls_of(tree)}
    assert using == {"decimal_json", "faults", "admin", "answers.terms"}
    floats = [
        (name, node.value)
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    assert floats == []


def test_only_the_outer_modules_name_an_http_status() -> None:
    codes = {status.value for status in HTTPStatus if status.value >= 200}
    naming = {
        name
        for name, tree in modules().items()
        if "http" in all_imports_of(tree)
        or any(
            isinstance(n, ast.Constant) and n.value in codes and type(n.value) is int for n in ast.walk(tree)
        )
    }
    # decimal_json means 308 as a number of digits, and journal 200 as one of characters. The others read
    # statuses in the answers of a profile.
    outer = {"endpoint", "problems", "foreign.operations", "foreign.standins", "shared_world"}
    playing = {"answers.envelope", "answers.wording", "profiles"}
    assert naming == outer | {"connection", "decimal_json", "journal"} | playing


def test_wire_names_stand_in_few_modules() -> None:
    naming = {name for name, tree in modules().items() if WIRE_NAMES & set(strings_of(tree))}
    playing = {
        "answers.courses",
        "answers.demands",
        "answers.terms",
        "answers.wording",
        "policy",
    }
    assert naming == {"handlers", "opening", "reasons"} | playing


def test_attributes_are_read_where_the_type_checker_sees_them() -> None:
    assert [name for name, tree in modules().items() if "attrgetter" in ast.dump(tree)] == []


def test_nothing_below_the_command_line_reads_the_environment() -> None:
    assert [name for name, tree in modules().items() if "os" in all_imports_of(tree)] == []


@pytest.mark.parametrize("word", ["util", "helper", "common", "manager", "service", "base"])
def test_no_module_has_a_name_for_everything(word: str) -> None:
    assert [name for name in modules() if re.search(word, name)] == []
