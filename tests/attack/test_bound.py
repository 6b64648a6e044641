"""What the guard lets out is never more than any lenient reader could book."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contract_tests.safety.guard import LARGEST_WITHOUT_CONSENT, Budget, Guard, MustRead, Policy, Refused
from contract_tests.safety.intent import Intent, intent_of, is_impossible
from tests.attack.readers import READERS

PATH = b"/api/p/v1.0/invoices/customer-payments"
NOMINATED = "LD-1"
LOADS = (
    '"LD-1"', '"LD-9"', '"ct-no-such-load-1"', '" LD-9 "', '"LD-1-ct-no-such-load-1"', '""', "null", "7",
    "{}", '["LD-9"]', "true", '"CT-NO-SUCH-LOAD-2"', '"\\u004cD-9"',
)  # fmt: skip
AMOUNTS = (
    "0.01", "0", "-0.0", "-1250.10", "1250.10", '"0.01"', '"5 USD"', '"1,000"', '"1.000,50"', '"1.000"',
    "true", "null", "1e400", "1E3", "NaN", '"ten"', "[7]", '{"Amount": 9}', '"-3"', "0.0100", '"0x10"',
    '"1 000"', '" 12 "',
)  # fmt: skip
NAMES = ("LoadNumber", "loadNumber", "load_number", "LOADNUMBER", "Load-Number")
MONEY_NAMES = ("Amount", "amount", "AMOUNT")
WHOLE = ("{}", "[{}]", "{},", "// x\n{}", "{}}}", "/* LoadNumber */ {}", " {} ")


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A payment as some client or fuzzer writes it: fields repeated, renamed, of any type, in any form."""
    fields = [
        f'"{draw(st.sampled_from(NAMES))}": {load}'
        for load in draw(st.lists(st.sampled_from(LOADS), max_size=2))
    ]
    for amount in draw(st.lists(st.sampled_from(AMOUNTS), max_size=2)):
        inner = draw(st.sampled_from(MONEY_NAMES))
        whole, without = f'{{"{inner}": {amount}, "Currency": 840}}', '{"Currency": 1}'
        money = draw(st.sampled_from([whole, amount, "{}", without]))
        fields.append(f'"{draw(st.sampled_from(MONEY_NAMES))}": {money}')
    fields.append('"ReferenceNumber": "ct-run-1"')
    text = "{" + draw(st.sampled_from([", ", ",", ",\n"])).join(draw(st.permutations(fields))) + "}"
    text = draw(st.sampled_from(WHOLE)).replace("{}", text, 1)
    if draw(st.booleans()) and draw(st.booleans()):
        text = text.replace('"', "'")
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16", "utf-16-le"])))


FORMS = st.builds(
    "LoadNumber={}&{}={}&ReferenceNumber=ct-run-1".format,
    st.sampled_from([load.strip('"') for load in LOADS]),
    st.sampled_from(["Amount", "Amount.Amount"]),
    st.sampled_from([amount.strip('"') for amount in AMOUNTS]),
).map(str.encode)
XML = st.builds(
    "<P><LoadNumber>{}</LoadNumber><Amount>{}</Amount><ReferenceNumber>ct-run-1</ReferenceNumber></P>".format,
    st.sampled_from([load.strip('"') for load in LOADS]),
    st.sampled_from(["0.01", "7", "1250.10"]),
).map(str.encode)


def let_out(content: bytes, *, consent: bool) -> Intent | None:
    """What the guard reads in a request that it lets out; None if it keeps it in."""
    guard = Guard(
        Policy(is_mock=False, consent=consent, nominated={NOMINATED}, run_id="run", budget=Budget())
    )
    guard.open_payments()
    intent = intent_of("POST", PATH, {"Content-Type": "application/json"}, content)
    try:
        guard.admit(intent, {}, must_be_refused=True)
    except (Refused, MustRead):
        return None
    return intent


@pytest.mark.parametrize("reader", READERS)
@given(content=st.one_of(bodies(), FORMS, XML))
@example(content=b'{"LoadNumber": "ct-no-such-load-1", "LoadNumber": null, "Amount": {"Amount": 0.01}}')
@example(content=b'{"LoadNumber": "LD-1", "amount": {"Amount": 0.01}},')
@example(content=b'{"LoadNumber": "LD-1", "Amount": {"amount": 0.01}},')
@example(content=b'{"LoadNumber": "LD-1", "Amount": {}, "ReferenceNumber": "ct-run-1"},')
@example(content=b"{'LoadNumber': 'LD-1', 'Amount': {}, 'ReferenceNumber': 'ct-run-1'}")
@example(content=b"{'LoadNumber': 'LD-1', 'Amount': {'Currency': 1}}")
def test_no_reader_books_more_than_the_guard_reads(reader: str, content: bytes) -> None:
    try:
        booked = READERS[reader](content)
    except (ValueError, RecursionError):
        booked = None
    if booked is None:
        return
    intent = let_out(content, consent=True)
    if intent is not None:
        lengthened = booked.load.startswith(f"{NOMINATED}-ct-no-such-load-")
        assert booked.load == NOMINATED or is_impossible(booked.load) or lengthened
        assert booked.amount <= intent.amount
    if let_out(content, consent=False) is not None:
        assert is_impossible(booked.load)
        assert booked.amount <= max(LARGEST_WITHOUT_CONSENT, Decimal(0))
