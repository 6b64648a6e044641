"""Why a refusal is right, or may be."""

from dataclasses import dataclass
from enum import Enum, unique

ANY_REFUSAL = range(400, 500)


@dataclass(frozen=True, slots=True)
class RefusalReason:
    """Why the contract refuses a request. Only a reason that stands alone asks for its sentence."""

    clause: str
    reason: str
    statuses: range = ANY_REFUSAL
    sentence: str | None = None

    @property
    def expected(self) -> str:
        """What a failure says was expected."""
        status = str(self.statuses[0]) if len(self.statuses) == 1 else "a refusal (4xx)"
        return f"{status}{f' and “{self.sentence}”' if self.sentence else ''}, because {self.reason}"


def exactly(status: int) -> range:
    """The one status that a reason allows."""
    return range(status, status + 1)


@unique
class Doubt(Enum):
    """What the contract leaves open about a payment: with one, a refusal is as good as a payment."""

    PATH = "the version or the path is not the documented one"
    MEDIA_TYPE = "the media type is not the documented one"
    ACCEPT = "Accept is not the documented one"
    QUERY = "there is a query"
    TOKEN = "the access token is not that of the run"  # noqa: S105 - a sentence
    REPEATED_FIELD = "a field appears twice"
    UNKNOWN_FIELD = "there are unknown fields"
    UNUSUAL_TEXT = "a text is very long or holds unusual characters"
    LENIENT_JSON = "the body is JSON to a lenient reader only"
    ENCODING = "the body is not UTF-8"
    CONVERTED = "a value has another type than the page says, and a reader may convert it"
    PRECISE_AMOUNT = "the amount has more digits than money has"
    NO_CURRENCY = "there is no currency"
    UNKNOWN_CURRENCY = "the currency is not an ISO 4217 code, or is written with a fraction"
    UNUSUAL_DATE = "PaymentDate is an unusual date-time"
    FAR_OFFSET = "PaymentDate has an offset that no zone has"
    BLANK_REFERENCE = "ReferenceNumber is white space"
    OTHER_CURRENCY = "the currency is not known to be the load's"
    OVERPAYMENT = "it is more than what is open"
    LOAD_WRITTEN_OTHERWISE = "the LoadNumber is written otherwise than the load's own"
    LOAD_RESEMBLED = "a load has nearly that number"
    INVOICE_OF_ANOTHER_LOAD = "the invoice is another load's"


FAILS_SOME_PARSERS = frozenset({Doubt.ENCODING, Doubt.FAR_OFFSET})
"""What makes the parsers of a common framework fail, before the service can refuse it."""
