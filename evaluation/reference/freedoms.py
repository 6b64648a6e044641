"""What a correct implementation may do in its own way, as switches, and named combinations of them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Freedoms:
    """One switch for each thing that the contract leaves open. The defaults are what `contract.md` decided.

    No value of any switch breaks a documented rule; the number in a comment is that of the decision
    which the other values leave.
    """

    # The body and the media type of an error (A2, A3, A11).
    errors: Literal["validation_problem", "camel_case", "detail_only", "json_string", "plain_text"] = (
        "validation_problem"
    )
    error_media_type: Literal["application/problem+json", "application/json"] = "application/problem+json"
    faults: Literal["all", "first"] = "all"
    # The form of values.
    ids: Literal["uuid", "integer", "prefixed"] = "uuid"
    payment_date: Literal["as_sent", "utc_z", "utc_offset", "utc_fraction"] = "as_sent"  # A15
    numbers: Literal["as_sent", "one_decimal", "exponent"] = "as_sent"  # A20
    extra_members: bool = False
    # The load and what a payment does to it (A1, A12, A13).
    status_after: Literal["completed_when_paid", "unchanged", "completed_at_once", "paid_when_paid"] = (
        "completed_when_paid"
    )
    load_members: Literal["camel", "pascal"] = "camel"
    load_payments: Literal["full", "brief"] = "full"
    unpaid_load: Literal["null", "absent", "zero"] = "null"
    paid_at: Literal["latest", "first"] = "latest"  # A16
    overpayment: Literal["accepted", "refused"] = "accepted"
    # Repeats (A6 to A10).
    repeat_shows: Literal["all_payments", "original_only"] = "all_payments"
    changed_repeat: Literal["original", "refused"] = "original"
    gate_before_repeat: bool = False
    references: Literal["exact", "any_case", "trimmed"] = "exact"
    reference_scope: Literal["load", "everywhere"] = "load"
    # What is refused, and how (A4, A5, A10, A14, A17, A18).
    currencies: Literal["any", "iso_only", "of_the_load"] = "any"
    dates: Literal["rfc3339", "lenient"] = "rfc3339"
    unknown_members: Literal["ignored", "refused"] = "ignored"
    duplicate_members: Literal["last", "refused"] = "last"
    member_names: Literal["exact", "any_case"] = "exact"
    nul: Literal["refused", "stored"] = "refused"
    media_type_refusal: Literal[415, 400] = 415
    version_refusal: Literal[404, 400] = 404
    blank_load_number: Literal[400, 404] = 400
    # Reads (A23).
    blank_key: Literal[400, 404] = 400
    empty_search: Literal[404, 200] = 404


COMBINATIONS: dict[str, Freedoms] = {
    "as_decided": Freedoms(),
    "plain_text": Freedoms(
        errors="plain_text",
        faults="first",
        ids="integer",
        payment_date="utc_offset",
        numbers="one_decimal",
        status_after="paid_when_paid",
        unpaid_load="absent",
        empty_search=200,
        media_type_refusal=400,
    ),
    "camel_case": Freedoms(
        errors="camel_case",
        error_media_type="application/json",
        ids="prefixed",
        payment_date="utc_fraction",
        numbers="exponent",
        extra_members=True,
        status_after="completed_at_once",
        member_names="any_case",
        blank_load_number=404,
        dates="lenient",
        nul="stored",
    ),
    "minimal": Freedoms(
        errors="json_string",
        error_media_type="application/json",
        faults="first",
        ids="integer",
        payment_date="utc_z",
        status_after="unchanged",
        load_payments="brief",
        unpaid_load="zero",
        repeat_shows="original_only",
        blank_key=404,
        version_refusal=400,
    ),
    "vendor_like": Freedoms(
        errors="detail_only",
        error_media_type="application/json",
        payment_date="utc_fraction",
        numbers="one_decimal",
        extra_members=True,
        load_members="pascal",
        load_payments="brief",
        unpaid_load="absent",
        paid_at="first",
        member_names="any_case",
        dates="lenient",
        gate_before_repeat=True,
        references="any_case",
        empty_search=404,
    ),
    "strict": Freedoms(
        currencies="iso_only",
        unknown_members="refused",
        duplicate_members="refused",
        changed_repeat="refused",
        overpayment="refused",
        references="trimmed",
        reference_scope="everywhere",
        blank_load_number=404,
    ),
    "closing": Freedoms(
        status_after="paid_when_paid",
        gate_before_repeat=True,
        currencies="of_the_load",
        load_members="pascal",
    ),
}
