"""The clauses that are asserted: id, grade, words."""

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
            "D2": "A payment is returned with the values that were sent; of PaymentDate, the day.",
            "D3": "Status is the load's status after applying the payment.",
            "D4": "CustomerPayments are the payments recorded for the load: those before, and the new one.",
            "D5": "LoadNumber, Amount, Amount.Amount and PaymentDate are required.",
            "D6": "InvoiceNumber, PaymentMethod, CheckNumber and Note may be left out or null.",
            "D7": "A value of a type that no reader can convert is refused, as is a body that is no object.",
            "D8": "A request is answered with 200 or refused; none makes the service fail each time.",
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
            "P10": "GET invoices by id or invoiceNumber returns that one invoice.",
            "P11": "GET invoices without either key is refused with 400.",
            "P12": "GET invoices of an unknown invoice is refused with 404.",
            "P13": "An invoice has an Id, a Number and the Status Draft, AwaitingPayment or Paid.",
            "P14": "A search of invoices pages as that of loads: each of its Items is on exactly one page.",
            "P15": "A payment is once on its load's invoice, with its reference, and AmountPaid grows by it.",
            "P16": "RemainingBalance and AmountPaid of an invoice make its Total, unless more was paid.",
        },
    ),
}
