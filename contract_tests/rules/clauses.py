"""The clauses that are asserted and the questions that are only observed: id, grade, words."""

from dataclasses import dataclass
from typing import Literal

Grade = Literal["documented", "published", "assumed"]
GRADES: tuple[Grade, ...] = ("documented", "published", "assumed")

NOT_PAYABLE = "Load must be in one of: Invoiced, Completed, Financed."
NOT_POSITIVE = "Amount must be greater than zero."
NO_REFERENCE = "The ReferenceNumber field is required."
PAYABLE_STATUSES = ("Invoiced", "Completed", "Financed")
STATUSES = (
    "In Review", "Open", "Quoted", "Reserved", "Covered", "Dispatched", "In Transit", "Delivered", "TONU",
    "Released", "Queued", "Invoiced", "Financed", "Completed", "Paid", "Cancelled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clause:
    """A fact that a target must respect. `sentence` is as near to the source's words as one line allows."""

    id: str
    grade: Grade
    sentence: str


@dataclass(frozen=True, slots=True)
class Question:
    """What the contract leaves open. `expected` is what the mock does, in the words of an observation.

    `needs` is what a run must have or do to find out; nothing where the shorter suites suffice.
    """

    id: str
    question: str
    expected: str
    needs: str = ""


def _clauses(grade: Grade, sentences: dict[str, str]) -> dict[str, Clause]:
    return {key: Clause(key, grade, sentence) for key, sentence in sentences.items()}


CLAUSES: dict[str, Clause] = {
    # R1 to R8 are the page's rules; D1 to D8 are what its tables say.
    **_clauses(
        "documented",
        {
            "R1": "Payments are accepted only while the load's status is Invoiced, Completed or Financed.",
            "R2": f"Any other status is refused with 400 and “{NOT_PAYABLE}”",
            "R3": "An unknown LoadNumber is refused with 404.",
            "R4": f"A zero or negative Amount.Amount is refused with 400 and “{NOT_POSITIVE}”",
            "R5": f"An empty or omitted ReferenceNumber is refused with 400 and “{NO_REFERENCE}”",
            "R6": "The same ReferenceNumber again for the same load returns the original payment; "
            "no duplicate is created.",
            "R7": "A successful payment fills paidAt, totalPaid and payments of the load.",
            "R8": "Requests are application/json-patch+json; responses are application/json.",
            "D1": "The response has LoadNumber, Status and CustomerPayments; each payment has Id, Amount, "
            "CheckNumber, InvoiceNumber, PaymentDate, PaymentMethod and ReferenceNumber.",
            "D2": "A payment is returned with the values that were sent.",
            "D3": "Status is the load's status after applying the payment.",
            "D4": "CustomerPayments are the payments recorded for the load: those before, and the new one.",
            "D5": "LoadNumber, Amount, Amount.Amount, Amount.Currency and PaymentDate are required.",
            "D6": "InvoiceNumber, PaymentMethod, CheckNumber and Note may be left out or null.",
            "D7": "Every field has the type that the page gives it; any other value is refused.",
            "D8": "A request is answered with 200 or refused; none makes the service fail.",
        },
    ),
    **_clauses(
        "published",
        {
            "P1": "GET loads by id, loadNumber or orderNumber returns that one load.",
            "P2": "GET loads without any of the three keys is refused with 400.",
            "P3": "GET loads of an unknown load is refused with 404.",
            "P4": "A load has the fields of the load page, with its types and statuses.",
            "P5": "A search returns Page, PageSize, Total and the Items that match every filter.",
            "P6": "Every hit of a search is on exactly one page.",
            "P7": "A search needs a filter besides the dates, a PageSize above 0, a Page from 0 and at most "
            "150 LoadNumbers.",
            "P8": "A request without a valid access token is refused with 401.",
            "P9": "A payment changes nothing else of the load than its status, and no other load.",
        },
    ),
}

_PROBLEM = "type {}, title {}, status, traceId"
_URI = "https://tools.ietf.org/html/rfc9110#section-15.5."
PROBLEM_400 = _PROBLEM.format(f"{_URI}1", "One or more validation errors occurred.")
PROBLEM_404 = _PROBLEM.format(f"{_URI}5", "Not Found")
PROBLEM_405 = _PROBLEM.format(f"{_URI}6", "Method Not Allowed")
PROBLEM_415 = _PROBLEM.format(f"{_URI}16", "Unsupported Media Type")

QUESTIONS: dict[str, Question] = {
    row[0]: Question(*row)
    for row in (
        ("A1", "Names of the load's payment fields", "paidAt, totalPaid, payments"),
        ("A1b", "Fields of a payment in the load", "those of the response"),
        ("A2a", "Where is the sentence about the reference?", "errors[ReferenceNumber], detail"),
        ("A2b", "Where is the sentence about the amount?", "errors[Amount.Amount], detail"),
        ("A2c", "Where is the sentence about the status?", "errors[Status], detail"),
        ("A2d", "Problem document of a 400", PROBLEM_400),
        ("A2e", "Problem document of a 404", PROBLEM_404),
        ("A2f", "Problem document of a 405", PROBLEM_405),
        ("A2g", "Problem document of a 415", PROBLEM_415),
        ("A2h", "Where is a missing field named?", "errors, by its name"),
        ("A2i", "traceId of two refusals", "differs"),
        ("A3", "Media type of errors", "application/problem+json"),
        ("A4a", "Media type application/json", "accepted"),
        ("A4b", "Media type text/json", "accepted"),
        ("A4c", "Media type application/vnd.alvys+json", "accepted"),
        ("A4d", "Media type text/plain", "415"),
        ("A4e", "Media type application/xml", "415"),
        ("A4f", "Media type application/x-www-form-urlencoded", "415"),
        ("A4g", "No media type, with a body", "415"),
        ("A4h", "Media type with charset=utf-8", "accepted"),
        ("A5a", "Version 1", "accepted"),
        ("A5b", "Version 2", "accepted"),
        ("A5c", "Version 2.0", "accepted"),
        ("A5d", "Other versions", "404"),
        ("A5e", "Path in other case", "accepted"),
        ("A6", "Response to a replay", "200, the original in the current list and status"),
        ("A7", "Response to a replay with other values", "200, the original"),
        ("A8", "The same reference on another load is", "an independent payment"),
        ("A9a", "A reference that differs in case is", "another payment"),
        ("A9b", "A reference that differs in outer white space is", "another payment"),
        ("A9c", "A reference of only white space", "400"),
        ("A9d", "A reference that differs in Unicode normal form is", "another payment"),
        ("A9e", "A reference with white space around is returned", "as sent"),
        ("A10a", "Unknown version before media type", "404"),
        ("A10b", "Wrong method before media type", "405"),
        ("A10c", "Media type before body", "415"),
        ("A10d", "Body before unknown load", "400 about the body"),
        ("A10e", "Body before status", "400 about the body"),
        ("A10f", "A replay on a load that is no longer payable", "200, the original"),
        ("A10g", "Body before replay", "400"),
        ("A11", "Several errors in one body", "all reported"),
        ("A12a", "Status after a part of what was invoiced", "unchanged"),
        ("A12b", "Status once what was invoiced is paid", "Completed"),
        ("A12c", "Status after a payment on a load without an amount", "unchanged"),
        ("A13", "Overpayment", "accepted"),
        ("A14a", "A payment in another currency", "accepted"),
        ("A14b", "In the total, a payment in another currency", "does not count"),
        ("A14c", "In the total, a payment in currency 0", "counts"),
        ("A14d", "Currency of a payment that was sent with 0", "0"),
        ("A15", "PaymentDate in the response", "as sent"),
        ("A16a", "paidAt after a further payment", "the time of recording"),
        ("A16b", "paidAt after a replay", "unchanged"),
        ("A17a", "PaymentDate without an offset", "400"),
        ("A17b", "PaymentDate without a time", "400"),
        ("A17c", "PaymentDate with a space for the T", "400"),
        ("A17d", "PaymentDate with an offset without minutes", "400"),
        ("A17e", "PaymentDate on a day that does not exist", "400"),
        ("A17f", "PaymentDate at hour 24", "400"),
        ("A17g", "PaymentDate empty", "400"),
        ("A17h", "PaymentDate as seconds since 1970, in a string", "400"),
        ("A17i", "PaymentDate with an offset of 24 hours", "400"),
        ("A17j", "PaymentDate with white space around", "400"),
        ("A18a", "Unknown fields", "ignored"),
        ("A18b", "Field names in other case", "400"),
        ("A19", "InvoiceNumber of another load", "stored unchecked"),
        ("A20a", "A total that doubles cannot add, such as 0.1 and 0.2", "exact"),
        ("A20b", "An amount beyond the range of a double", "400"),
        ("A20c", "An amount with more digits than a double keeps, or than cents have", "exact"),
        ("A20d", "A total", "exact"),
        ("A21", "A reference that was refused before", "is not used up"),
        ("A22", "Two posts at once with one reference", "one payment, both 200"),
        ("A23a", "A search without a hit", "404"),
        ("A23b", "A page past the end", "404"),
        ("A24a", "The sentence about the reference", "exactly the page's"),
        ("A24b", "The sentence about the amount", "exactly the page's"),
        ("A24c", "The sentence about the status", "exactly the page's"),
        # What no row of the contract names, and what a client still wants to know.
        ("Q1", "Order of CustomerPayments", "oldest first"),
        ("Q2", "A number in a string", "400"),
        ("Q3", "A currency with a fraction of zero (840.0)", "accepted"),
        ("Q4", "A field that appears twice", "400"),
        ("Q5", "A body that is not JSON", "400"),
        ("Q6", "A body that is JSON, but not an object", "400"),
        ("Q7", "No body", "400"),
        ("Q8", "Another method", "405"),
        ("Q9", "A required field of the wrong type", "400"),
        ("Q10", "The character U+0000 in a text", "400"),
        ("Q11", "A LoadNumber in other case", "404"),
        ("Q12", "A LoadNumber with white space around", "404"),
        ("Q13", "A blank LoadNumber", "400"),
        ("Q14", "A blank key of a load read", "400"),
        ("Q15", "Two keys of a load read that name different loads", "404"),
        ("Q16", "A load read by a number in other case", "404"),
        ("Q17", "A long text (10,000 characters)", "stored"),
        ("Q18", "An empty optional text", "stored empty"),
        ("Q19", "White space around an optional text", "kept"),
        ("Q20", "Currency of a load without one, after a payment", "that of the payment"),
        ("Q21", "An unknown path", "404"),
        ("Q22", "Accept with a media type that is not offered", "ignored"),
        ("Q23", "A body nested 10,000 levels deep", "400"),
        ("Q24", "Invalid UTF-8", "400"),
        ("Q25", "A lone surrogate", "400"),
        ("Q26", "A negative currency", "accepted"),
        ("Q27", "WWW-Authenticate of a 401", "Bearer", "credentials"),
        ("Q28", "A search with an unknown status", "400"),
        ("Q29", "NaN or Infinity", "400"),
        ("Q30", "Allow of a 405", "POST"),
        ("Q31", "A generated request that openapi.yaml forbids", "refused", "the suite fuzz"),
        ("Q32", "A load by a DateRange that starts and ends when it was created", "found"),
        ("Q33", "A search without Page and PageSize", "Page 0, PageSize 20"),
    )
}
