"""The report as one page for people, from `report.html`, `report.css` and `report.js`."""

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from contract_tests.report.build import Report, amount_of
from contract_tests.report.drift import Drift
from contract_tests.rules.values import visible


def write_html(report: Report, path: Path, drift: Drift | None = None) -> None:
    """Writes the report as one page that needs nothing but itself, and runs no script but its own."""
    templates = Environment(
        loader=PackageLoader("contract_tests", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    templates.filters |= {"visible": visible, "amount_of": amount_of}
    style, script = (files("contract_tests.report").joinpath(name).read_text("utf-8") for name in _INLINE)
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    page = templates.get_template("report.html").render(
        report=report,
        drift=drift,
        policy=policy,
        style=style,
        script=script,
    )
    path.write_text(page, "utf-8")


_INLINE = ("report.css", "report.js")


def _hash(text: str) -> str:
    """By which a browser knows what the page may use."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
