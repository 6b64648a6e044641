"""Defects of references: what counts as one, and when two are the same."""

import unicodedata
from collections.abc import Mapping
from dataclasses import replace

from typing_extensions import override

from evaluation.defects.asking import ABSENT, pay
from evaluation.defects.defect import Witness, defect, witness
from evaluation.reference.service import Errors, Service, required
from evaluation.reference.values import Json, Payment

SENTENCE = required("ReferenceNumber")


def differ(one: str, other: str) -> Witness:
    """Two references are two payments."""
    return witness(
        pay(ReferenceNumber=one), pay(ReferenceNumber=other), sees=lambda a: a[1].count(), correct=2
    )


def refused(reference: object) -> Witness:
    """A payment with this reference is refused."""
    return witness(pay(ReferenceNumber=reference), sees=lambda a: a[0].status, correct=400)


def shown_as(reference: str) -> Witness:
    """A payment shows this reference as it was sent."""
    return witness(
        pay(ReferenceNumber=reference), sees=lambda a: a[0].paid(0, "ReferenceNumber"), correct=reference
    )


@defect("reference", "A9", shown=differ("inv-a", "INV-A"))
class ReferencesIgnoreCase(Service):
    """References that differ in case only are the same."""

    @override
    def key(self, reference: str) -> str:
        return reference.lower()


@defect("reference", "A9", shown=differ("R-1", "R-1 "))
class ReferencesIgnoreOuterSpace(Service):
    """References that differ in white space at their ends only are the same."""

    @override
    def key(self, reference: str) -> str:
        return reference.strip()


@defect("reference", "A9", shown=differ("caf\u00e9", "cafe\u0301"))
class ReferencesIgnoreNormalForm(Service):
    """References that differ in their Unicode normal form only are the same."""

    @override
    def key(self, reference: str) -> str:
        return unicodedata.normalize("NFC", reference)


@defect("reference", "A9", shown=differ("R-\u0661", "R-1"))
class ReferencesIgnoreCompatibility(Service):
    """References are compared after folding digits of other scripts to ASCII."""

    @override
    def key(self, reference: str) -> str:
        return "".join(str(unicodedata.digit(one, one)) for one in reference)


@defect("reference", "A9", shown=differ("A-1", "A1"))
class ReferencesIgnorePunctuation(Service):
    """References that differ in punctuation only are the same."""

    @override
    def key(self, reference: str) -> str:
        return "".join(one for one in reference if one.isalnum()) or reference


@defect("reference", "R6", "A9", shown=differ("x" * 40 + "1", "x" * 40 + "2"))
class ReferencesAreCutForComparison(Service):
    """Only the first 40 characters of a reference are compared."""

    @override
    def key(self, reference: str) -> str:
        return reference[:40]


@defect("reference", "R6", "A9", shown=differ("invoice 7", "payment 7"))
class ReferencesAreComparedFromTheEnd(Service):
    """Only the digits at the end of a reference are compared."""

    @override
    def key(self, reference: str) -> str:
        kept = reference.rstrip("0123456789")
        return reference[len(kept) :] or reference


@defect("reference", "A9", shown=differ("007", "7"))
class ReferencesIgnoreLeadingZeros(Service):
    """References that differ in leading zeros only are the same."""

    @override
    def key(self, reference: str) -> str:
        return reference.lstrip("0")


class Storing(Service):
    """Stores another reference than the one that was sent."""

    def stored(self, reference: str) -> str:
        """The reference that is stored."""
        raise NotImplementedError

    @override
    def payment_members(self, payment: Payment) -> Mapping[str, Json]:
        return super().payment_members(replace(payment, reference=self.stored(payment.reference)))


@defect("reference", "D2", shown=shown_as("inv-a"))
class ReferenceIsReturnedInUppercase(Storing):
    """A reference is returned in uppercase."""

    @override
    def stored(self, reference: str) -> str:
        return reference.upper()


@defect("reference", "D2", shown=shown_as("x" * 60))
class ReferenceIsReturnedCut(Storing):
    """A reference is returned without what exceeds 50 characters."""

    @override
    def stored(self, reference: str) -> str:
        return reference[:50]


@defect("reference", "D2", shown=shown_as("007"))
class ReferenceIsReturnedAsNumber(Storing):
    """A reference of digits is returned without its leading zeros."""

    @override
    def stored(self, reference: str) -> str:
        return str(int(reference)) if reference.isascii() and reference.isdigit() else reference


@defect("reference", "A9", "D2", shown=shown_as(" R-1 "))
class ReferenceIsReturnedTrimmed(Storing):
    """A reference is returned without the white space at its ends."""

    @override
    def stored(self, reference: str) -> str:
        return reference.strip()


class Accepting(Service):
    """Takes some references that are none."""

    def stands_for(self, value: Json) -> str | None:
        """The reference that is used instead; None if the value is refused."""
        raise NotImplementedError

    @override
    def read_reference(self, members: Mapping[str, Json], faults: Errors) -> str:
        instead = self.stands_for(members.get("ReferenceNumber"))
        return super().read_reference(members, faults) if instead is None else instead


@defect("reference", "R5", shown=refused(""))
class EmptyReferenceIsAccepted(Accepting):
    """An empty reference is taken as one."""

    @override
    def stands_for(self, value: Json) -> str | None:
        return "" if value == "" else None


@defect("reference", "A9", shown=refused("   "))
class BlankReferenceIsAccepted(Accepting):
    """A reference of white space is taken as one."""

    @override
    def stands_for(self, value: Json) -> str | None:
        return value if isinstance(value, str) and value.isspace() else None


@defect("reference", "R5", shown=refused(ABSENT))
class MissingReferenceIsGenerated(Service):
    """A payment without a reference gets one."""

    @override
    def read_reference(self, members: Mapping[str, Json], faults: Errors) -> str:
        self.issued += 1
        return super().read_reference({"ReferenceNumber": f"AUTO-{self.issued}"} | dict(members), faults)


@defect("reference", "R5", "D7", shown=refused(None))
class NullReferenceIsAccepted(Service):
    """A reference of null gets a generated one."""

    @override
    def read_reference(self, members: Mapping[str, Json], faults: Errors) -> str:
        if "ReferenceNumber" in members and members["ReferenceNumber"] is None:
            self.issued += 1
            return f"AUTO-{self.issued}"
        return super().read_reference(members, faults)


@defect("reference", "D7", shown=refused(12345))
class NumberIsAcceptedAsReference(Accepting):
    """A reference that is sent as a number is taken as its digits."""

    @override
    def stands_for(self, value: Json) -> str | None:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


@defect(
    "reference",
    "R5",
    "A24",
    shown=witness(pay(ReferenceNumber=""), sees=lambda a: SENTENCE in a[0].text, correct=True),
)
class ReferenceSentenceDiffers(Service):
    """The sentence of the reference rule is another one."""

    @override
    def read_reference(self, members: Mapping[str, Json], faults: Errors) -> str:
        reference = super().read_reference(members, faults)
        if "ReferenceNumber" in faults:
            faults["ReferenceNumber"] = ["'Reference Number' must not be empty."]
        return reference


@defect(
    "reference",
    "R5",
    "A24",
    shown=witness(pay(ReferenceNumber=ABSENT), sees=lambda a: SENTENCE in a[0].text, correct=True),
)
class OmittedReferenceIsCalledInvalid(Service):
    """Only an empty reference gets the sentence of the rule; an omitted one makes the body invalid."""

    @override
    def read_reference(self, members: Mapping[str, Json], faults: Errors) -> str:
        reference = super().read_reference(members, faults)
        if "ReferenceNumber" not in members:
            faults["ReferenceNumber"] = ["The JSON value could not be converted."]
        return reference
