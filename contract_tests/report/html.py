"""The report as one page for people, from `report.html`."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from contract_tests.report.build import Report
from contract_tests.report.drift import Drift
from contract_tests.rules.values import visible


def write_html(report: Report, path: Path, drift: Drift | None = None) -> None:
    """Writes the report as one page that needs nothing but itself."""
    templates = Environment(
        loader=PackageLoader("contract_tests", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    templates.filters["visible"] = visible
    page = templates.get_template("report.html").render(report=report, drift=drift)
    path.write_text(page, "utf-8")
