"""Defects of references: what counts as one, and when two are the same."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace

from evaluation.defects.defect import (
    Function,
    Given,
    Table,
    Witness,
    blame,
    given,
    lists,
    responds,
    shows,
    then,
    witness,
)
from evaluation.reference.messages import ABSENT, pay
from evaluation.reference.service import Service, required
from evaluation.reference.values import Json

SENTENCE = required("ReferenceNumber")
row = Table("reference")


def differ(one: str, other: str) -> Witness:
    """Two references are two payments."""
    return lists(2, pay(ReferenceNumber=one), pay(ReferenceNumber=other))


def refused(reference: object) -> Witness:
    """A payment with this reference is refused."""
    return responds(400, pay(ReferenceNumber=reference))


def kept(reference: str) -> Witness:
    """A payment shows this reference as it was sent."""
    return shows(reference, pay(ReferenceNumber=reference), at="CustomerPayments/0/ReferenceNumber")


def said(reference: object) -> Witness:
    """A payment with this reference is refused with the sentence of the rule."""
    return witness(pay(ReferenceNumber=reference), sees=lambda r: SENTENCE in r[0].text, correct=True)


def shown(change: Callable[[str], str]) -> Given:
    """Shows another reference than the one that was sent."""
    return given(lambda _s, payment: replace(payment, reference=change(payment.reference)))


def accepting(stands_for: Callable[[Json], str | None]) -> Function:
    """Takes what this gives for the value that was sent; a None is refused as ever."""
    return lambda s, fields, errors: (
        Service.read_reference(s, fields, errors)
        if (instead := stands_for(fields.get("ReferenceNumber"))) is None
        else instead
    )


row("references-ignore-case", "A9", "References that differ in case only are the same.")(
    differ("inv-a", "INV-A"), key=lambda _s, reference: reference.lower()
)
row(
    "references-ignore-outer-space",
    "A9",
    "References that differ in white space at their ends only are the same.",
)(differ("R-1", "R-1 "), key=lambda _s, reference: reference.strip())
row(
    "references-ignore-normal-form",
    "A9",
    "References that differ in their Unicode normal form only are the same.",
)(differ("caf\u00e9", "cafe\u0301"), key=lambda _s, reference: unicodedata.normalize("NFC", reference))
row(
    "references-ignore-compatibility",
    "A9",
    "References are compared after folding digits of other scripts to ASCII.",
)(
    differ("R-\u0661", "R-1"),
    key=lambda _s, reference: "".join(str(unicodedata.digit(one, one)) for one in reference),
)
row("references-ignore-punctuation", "A9", "References that differ in punctuation only are the same.")(
    differ("A-1", "A1"),
    key=lambda _s, reference: "".join(one for one in reference if one.isalnum()) or reference,
)
row(
    "references-are-cut-for-comparison", "R6 A9", "Only the first 40 characters of a reference are compared."
)(differ("x" * 40 + "1", "x" * 40 + "2"), key=lambda _s, reference: reference[:40])
row(
    "references-are-compared-from-the-end", "R6 A9", "Only the digits at the end of a reference are compared."
)(
    differ("invoice 7", "payment 7"),
    key=lambda _s, reference: reference[len(reference.rstrip("0123456789")) :] or reference,
)
row("references-ignore-leading-zeros", "A9", "References that differ in leading zeros only are the same.")(
    differ("007", "7"), key=lambda _s, reference: reference.lstrip("0")
)
row("reference-is-returned-in-uppercase", "D2", "A reference is returned in uppercase.")(
    kept("inv-a"), payment_fields=shown(str.upper)
)
row("reference-is-returned-cut", "D2", "A reference is returned without what exceeds 50 characters.")(
    kept("x" * 60), payment_fields=shown(lambda reference: reference[:50])
)
row("reference-is-returned-as-number", "D2", "A reference of digits is returned without its leading zeros.")(
    kept("007"),
    payment_fields=shown(lambda text: str(int(text)) if text.isascii() and text.isdigit() else text),
)
row("reference-is-returned-trimmed", "A9 D2", "A reference is returned without the white space at its ends.")(
    kept(" R-1 "), payment_fields=shown(str.strip)
)
row("empty-reference-is-accepted", "R5", "An empty reference is taken as one.")(
    refused(""), read_reference=accepting(lambda value: "" if value == "" else None)
)
row("blank-reference-is-accepted", "A9", "A reference of white space is taken as one.")(
    refused("   "),
    read_reference=accepting(lambda value: value if isinstance(value, str) and value.isspace() else None),
)
row("missing-reference-is-generated", "R5", "A payment without a reference gets one.")(
    refused(ABSENT),
    read_reference=given(lambda s, fields, _errors: {"ReferenceNumber": s.trace_id(), **fields}),
)
row("null-reference-is-accepted", "R5 D7", "A reference of null gets a generated one.")(
    refused(None),
    read_reference=given(
        lambda s, fields, _errors: (
            {"ReferenceNumber": s.trace_id()} if fields.get("ReferenceNumber", "") is None else fields
        )
    ),
)
row("number-is-accepted-as-reference", "Q2", "A reference that is sent as a number is taken as its digits.")(
    refused(12345), read_reference=accepting(lambda value: str(value) if type(value) is int else None)
)
row("reference-sentence-differs", "R5 A24", "The sentence of the reference rule is another one.")(
    said(""),
    read_reference=then(
        lambda _s, reference, _fields, errors: (
            blame(errors, "ReferenceNumber", "'Reference Number' must not be empty.")
            if "ReferenceNumber" in errors
            else reference
        )
    ),
)
row(
    "omitted-reference-is-called-invalid",
    "R5 A24",
    "Only an empty reference gets the sentence of the rule; an omitted one makes the body invalid.",
)(
    said(ABSENT),
    read_reference=then(
        lambda _s, reference, fields, errors: (
            reference
            if "ReferenceNumber" in fields
            else blame(errors, "ReferenceNumber", "The JSON value could not be converted.")
        )
    ),
)
