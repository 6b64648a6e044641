"""What a correct implementation may do in its own way, as switches, and named combinations of them."""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Freedoms:
    """One switch for each thing that the contract leaves open. The defaults are what the contract decided.

    No value of any switch breaks a documented rule; the number in a comment is that of the decision
    which the other values leave.
    """

    # The body and the media type of an error (A2, A3, A11).
    error_form: Literal[
        "validation_problem",
        "camel_case",
        "model_state",  # as ASP.NET keys it, with no `detail`; a rule has the empty key
        "json_path",  # as `model_state`, with `$.` before what could not be converted
        "detail_only",
        "json_string",
        "plain_text",
    ] = "validation_problem"
    error_media_type: Literal["application/problem+json", "application/json"] = "application/problem+json"
    errors_reported: Literal["all", "first"] = "all"
    # The form of values.
    ids: Literal["uuid", "integer", "prefixed"] = "uuid"
    payment_date: Literal["as_sent", "utc_z", "utc_offset", "utc_fraction", "utc_naive", "local_naive"] = (
        "as_sent"  # A15; the naive ones have no zone, nor has any other date of such a service
    )
    date_kept: Literal["exact", "sql", "second", "day"] = "exact"  # `sql` is 1/300 s
    numbers: Literal["as_sent", "one_decimal", "exponent"] = "as_sent"  # A20
    amounts: Literal["decimal", "double", "dotnet", "two_digits", "four_digits"] = "decimal"  # A20
    nulls: Literal["shown", "omitted"] = "shown"
    extra_fields: bool = False
    revision: Literal["page", "2026-07"] = "page"
    # The load and what a payment does to it (A1, A12, A13).
    status_after: Literal["completed_when_paid", "unchanged", "completed_at_once", "paid_when_paid"] = (
        "completed_when_paid"
    )
    load_names: Literal["camel", "pascal"] = "camel"
    load_payments: Literal["full", "brief"] = "full"
    unpaid_load: Literal["null", "absent", "zero"] = "null"
    paid_at: Literal["latest", "first"] = "latest"  # A16
    overpayment: Literal["accepted", "refused"] = "accepted"
    # Replays (A6 to A10).
    replay_shows: Literal["all_payments", "original_only"] = "all_payments"
    changed_replay: Literal["original", "refused"] = "original"
    gate_before_replay: bool = False
    references: Literal["exact", "any_case", "trimmed"] = "exact"
    reference_scope: Literal["load", "everywhere"] = "load"
    invoices: Literal["any", "of_one_load"] = "any"  # A19
    # What is refused, and how (A4, A5, A10, A14, A17, A18).
    currencies: Literal["any", "iso_only", "of_the_load"] = "any"
    dates: Literal["rfc3339", "lenient"] = "rfc3339"
    unknown_fields: Literal["ignored", "refused"] = "ignored"
    duplicate_fields: Literal["last", "refused"] = "last"
    field_names: Literal["exact", "any_case"] = "exact"
    syntax: Literal["json", "lenient"] = "json"
    encoding: Literal["utf8", "detected", "repaired"] = "utf8"  # `repaired` replaces what is not UTF-8
    values: Literal["exact", "converted"] = "exact"  # `converted`: as Newtonsoft.Json does
    currency: Literal["required", "optional"] = "required"  # if it is missing it is 0
    load_numbers: Literal["exact", "any_case"] = "exact"
    tokens: Literal["unchecked", "for_an_hour", "for_a_minute"] = "unchecked"
    nul: Literal["refused", "stored"] = "refused"
    media_type_refusal: Literal[415, 400] = 415
    version_refusal: Literal[404, 400] = 404
    blank_load_number: Literal[400, 404] = 400
    # Reads (A23).
    blank_key: Literal[400, 404] = 400
    empty_search: Literal[404, 200] = 404
    lag_milliseconds: Literal[0, 1500] = 0  # how long after the response a load shows a payment
    # `brief` has plain numbers, payments with ids of their own, and no field that can be done without.
    invoice_reads: Literal["none", "whole", "brief"] = "none"


NATURAL = Freedoms(
    error_form="model_state",
    error_media_type="application/problem+json",
    payment_date="utc_z",
    amounts="dotnet",
    field_names="any_case",
    syntax="lenient",
    encoding="detected",
    values="converted",
    currency="optional",
    load_numbers="any_case",
    references="any_case",
    dates="lenient",
    nul="stored",
)
JULY = Freedoms(
    revision="2026-07",
    error_media_type="application/json",
    load_names="pascal",
    load_payments="brief",
    currency="optional",
)
WITH_TOKENS = Freedoms(tokens="for_an_hour")
WITH_INVOICES = Freedoms(invoice_reads="whole")
COMBINATIONS: dict[str, Freedoms] = {
    "as_decided": Freedoms(),
    "plain_text": Freedoms(
        error_form="plain_text",
        errors_reported="first",
        ids="integer",
        payment_date="utc_offset",
        numbers="one_decimal",
        status_after="paid_when_paid",
        unpaid_load="absent",
        empty_search=200,
        media_type_refusal=400,
    ),
    "camel_case": Freedoms(
        error_form="camel_case",
        error_media_type="application/json",
        ids="prefixed",
        payment_date="utc_fraction",
        numbers="exponent",
        extra_fields=True,
        status_after="completed_at_once",
        field_names="any_case",
        blank_load_number=404,
        dates="lenient",
        nul="stored",
    ),
    "minimal": Freedoms(
        error_form="json_string",
        error_media_type="application/json",
        errors_reported="first",
        ids="integer",
        payment_date="utc_z",
        status_after="unchanged",
        load_payments="brief",
        unpaid_load="zero",
        replay_shows="original_only",
        blank_key=404,
        version_refusal=400,
    ),
    "vendor_like": Freedoms(
        error_form="detail_only",
        error_media_type="application/json",
        payment_date="utc_fraction",
        numbers="one_decimal",
        extra_fields=True,
        load_names="pascal",
        load_payments="brief",
        unpaid_load="absent",
        paid_at="first",
        field_names="any_case",
        dates="lenient",
        gate_before_replay=True,
        references="any_case",
        empty_search=404,
    ),
    "strict": Freedoms(
        currencies="iso_only",
        unknown_fields="refused",
        duplicate_fields="refused",
        changed_replay="refused",
        overpayment="refused",
        references="trimmed",
        reference_scope="everywhere",
        invoices="of_one_load",
        blank_load_number=404,
    ),
    "closing": Freedoms(
        status_after="paid_when_paid",
        gate_before_replay=True,
        currencies="of_the_load",
        load_names="pascal",
    ),
    # What a server on ASP.NET and Newtonsoft.Json does when nobody tells it otherwise.
    "natural": NATURAL,
    "repairing": Freedoms(encoding="repaired", syntax="lenient", error_form="json_path", values="converted"),
    "nulls_omitted": Freedoms(nulls="omitted"),
    "doubles": Freedoms(amounts="double", numbers="one_decimal"),
    "cents": Freedoms(amounts="two_digits", date_kept="second", payment_date="utc_z"),
    "sql_money": Freedoms(amounts="four_digits", date_kept="sql", payment_date="utc_z"),
    "no_offset": Freedoms(payment_date="utc_naive", load_payments="brief"),
    "local_time": Freedoms(payment_date="local_naive", date_kept="second"),
    "whole_days": Freedoms(date_kept="day"),
    "lagging": Freedoms(lag_milliseconds=1500),
    "with_invoices": WITH_INVOICES,
    "brief_invoices": Freedoms(
        invoice_reads="brief", nulls="omitted", amounts="double", load_payments="brief", empty_search=200
    ),
    "lagging_invoices": Freedoms(invoice_reads="whole", lag_milliseconds=1500),
    "invoices_in_july": replace(JULY, invoice_reads="whole", status_after="paid_when_paid"),
    "july": JULY,
    "july_natural": replace(
        NATURAL,
        revision="2026-07",
        error_media_type="application/json",
        load_names="pascal",
        load_payments="brief",
        lag_milliseconds=1500,
        nulls="omitted",
    ),
    "with_tokens": WITH_TOKENS,
    "short_tokens": Freedoms(tokens="for_a_minute"),
}
