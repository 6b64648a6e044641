"""The report as JUnit XML, for the tests tab of a CI server: one test case for a clause or question."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from contract_tests.report.build import ClauseRow, ObservationRow, Report

_NOT_XML: Final = re.compile("[\ufffe\uffff]")
"""The only characters that are not escaped in a report and that XML has no way to write."""


def write_junit(report: Report, path: Path) -> None:
    """Writes clauses, questions and, if any broke, tests, each as a suite.

    A clause that was not tested and a question that was not observed are skipped; an answer that differs
    from the mock's is no failure. A run that was stopped has an error in its suite of tests.
    """
    root = ET.Element("testsuites", name="alvys-contract")
    _suite(root, "clauses", report, map(_clause, report.clauses))
    _suite(root, "questions", report, map(_question, report.observations))
    broken = [_case(error.test, "tests", "error", "it broke", error.message) for error in report.errors]
    if report.stopped is not None:
        broken.append(_case("the run", "tests", "error", "it was stopped", report.stopped.reason))
    if broken:
        _suite(root, "tests", report, broken)
    ET.indent(root)
    path.write_bytes(ET.tostring(root, "utf-8", xml_declaration=True) + b"\n")


def _suite(root: ET.Element, name: str, report: Report, cases: Iterable[ET.Element]) -> None:
    suite = ET.SubElement(root, "testsuite", name=f"{name} of {_text(report.target)}")
    suite.set("timestamp", report.started)
    suite.extend(cases)
    suite.set("tests", str(len(suite)))
    for tag, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in suite)))


def _case(name: str, kind: str, tag: str = "", message: str = "", text: str = "") -> ET.Element:
    case = ET.Element("testcase", classname=f"alvys.{kind}", name=_text(name))
    if tag:
        ET.SubElement(case, tag, message=_text(message)).text = _text(text)
    return case


def _clause(row: ClauseRow) -> ET.Element:
    name = f"{row.id}: {row.sentence}"
    if row.outcome == "not_tested":
        return _case(name, row.grade, "skipped", row.reason)
    if row.outcome == "passed":
        return _case(name, row.grade)
    ways = [f"expected  {one.expected}\ngot       {one.got}\n{one.curl}" for one in row.failures]
    message = f"failed {row.times_failed} times: {row.failures[0].got}"
    return _case(name, row.grade, "failure", message, "\n\n".join(ways))


def _question(row: ObservationRow) -> ET.Element:
    name = f"{row.id}: {row.question}"
    if not row.observed:
        return _case(name, "assumed", "skipped", "not observed")
    case = _case(name, "assumed")
    seen = "\n".join(f"the target: {one} ({row.observed[one]} times)" for one in row.most_frequent)
    ET.SubElement(case, "system-out").text = _text(f"{seen}\nthe mock: {row.expected}")
    return case


def _text(text: str) -> str:
    return _NOT_XML.sub(lambda one: f"\\u{ord(one[0]):04x}", text)
