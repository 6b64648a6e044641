"""The record of payments survives the run, and can be read back."""

import json
from contextlib import closing
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path

import pytest

from contract_tests.safety.payment_log import (
    RECORDED,
    REFUSED,
    SENDING,
    UNKNOWN,
    LoggedPayment,
    LogUnusableError,
    PaymentLog,
    settled,
)
from contract_tests.safety.sight import SeenPayment

SENT = LoggedPayment("2026-07-01T00:00:00.000Z", "LD-1", "ct-run-1", "0.10", 840, SENDING, attempt=1)


def recorded(sent: LoggedPayment = SENT, id: str = "id-1") -> LoggedPayment:
    return settled(sent, RECORDED, 200, SeenPayment(id, None, None))


def read_back(path: Path) -> list[LoggedPayment]:
    with closing(PaymentLog(path)) as record:
        return record.payments


def test_every_line_names_time_load_reference_amount_status_and_id(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with closing(PaymentLog(path)) as record:
        record.write(SENT)
        record.write(recorded())
    before, after = (json.loads(line) for line in path.read_text().splitlines())
    assert before == {
        "time": SENT.time,
        "load": "LD-1",
        "reference": "ct-run-1",
        "amount": "0.10",
        "currency": 840,
        "outcome": "sending",
        "status": None,
        "id": None,
        "attempt": 1,
        "planned": True,
        "response": None,
    }
    assert (after["outcome"], after["status"], after["id"]) == ("recorded", 200, "id-1")


@pytest.mark.parametrize("resumed", [True, False])
def test_what_was_found_wrong_is_known_to_the_run_that_resumes(tmp_path: Path, *, resumed: bool) -> None:
    path = tmp_path / "record.jsonl"
    with closing(PaymentLog(path)) as record:
        record.write_failure("R7", "no payment is logged yet, so there is no file")
        assert not path.exists()
        record.write(SENT)
        record.write_failure("R4", "accepted")
    with closing(PaymentLog(path, resumed=resumed)) as record:
        assert [(one.failed, one.got) for one in record.failures] == ([("R4", "accepted")] if resumed else [])


def test_a_reference_cannot_break_a_line(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    odd = LoggedPayment(SENT.time, "LD-1", "ct-run-1\n\u2028\ud800", "1", None, UNKNOWN)
    with closing(PaymentLog(path)) as record:
        record.write(odd)
    assert path.read_bytes().count(b"\n") == 1
    assert read_back(path) == [odd]


def test_a_refused_payment_is_not_one() -> None:
    record = PaymentLog()
    record.write(SENT)
    record.write(settled(SENT, REFUSED, 400))
    assert record.payments == []


def test_a_payment_that_is_shown_again_is_not_another_one() -> None:
    record = PaymentLog()
    again, once_more = (replace(SENT, attempt=attempt) for attempt in (2, 3))
    for line in (SENT, recorded(), again, recorded(again), once_more, settled(once_more, REFUSED, 400)):
        record.write(line)
    assert [(payment.id, payment.attempt) for payment in record.payments] == [("id-1", 1)]


def test_what_is_unknown_is_not_erased_by_a_later_success() -> None:
    record = PaymentLog()
    again = replace(SENT, attempt=2)
    for line in (SENT, settled(SENT, UNKNOWN, None), again, recorded(again)):
        record.write(line)
    assert [(payment.outcome, payment.attempt) for payment in record.payments] == [
        (RECORDED, 2),
        (UNKNOWN, 1),
    ]


def test_what_is_unknown_is_settled_by_a_line_of_its_own_attempt() -> None:
    record = PaymentLog()
    for line in (SENT, settled(SENT, UNKNOWN, None), recorded()):
        record.write(line)
    assert [payment.outcome for payment in record.payments] == [RECORDED]


def test_two_ids_are_two_payments() -> None:
    record = PaymentLog()
    for line in (SENT, recorded(), recorded(id="id-2")):
        record.write(line)
    assert [payment.id for payment in record.payments] == ["id-1", "id-2"]


def test_what_the_request_does_not_say_comes_from_the_response() -> None:
    sent = replace(SENT, reference=None, amount="Infinity", planned=False)
    line = settled(sent, RECORDED, 200, SeenPayment("id-1", "R-1", Decimal("1250.10")), b"\xff" + b"x" * 9000)
    assert (line.id, line.reference, line.amount, line.planned) == ("id-1", "R-1", "1250.10", False)
    assert line.response == "\\xff" + "x" * 3999


def test_an_endless_amount_is_kept_and_is_not_summed(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with closing(PaymentLog(path)) as record:
        record.write(replace(SENT, amount="Infinity"))
    assert [payment.is_bookable for payment in read_back(path)] == [False]


def test_the_file_is_made_with_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with closing(PaymentLog(path)) as record:
        assert not path.exists()
        record.write(SENT)
    assert path.exists()


@pytest.mark.parametrize("begins_with_the_file", [True, False])
def test_two_runs_do_not_write_one_file(
    begins_with_the_file: bool,  # noqa: FBT001 - a column of the table
    tmp_path: Path,
) -> None:
    path = tmp_path / "record.jsonl"
    if begins_with_the_file:
        path.touch()
    with closing(PaymentLog(path)) as first, closing(PaymentLog()) as none:
        first.write(SENT)
        none.write(SENT)
        with pytest.raises(LogUnusableError, match="another run is writing the payment log"):
            PaymentLog(path)
    assert read_back(path) == [SENT]


def test_two_runs_that_begin_at_once_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with closing(PaymentLog(path)) as first, closing(PaymentLog(path)) as second:
        first.write(SENT)
        with pytest.raises(LogUnusableError, match="another run"):
            second.write(SENT)
    assert path.read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_vanished_or_was_replaced_is_not_written_to(
    replaced: bool,  # noqa: FBT001 - a column of the table
    tmp_path: Path,
) -> None:
    path = tmp_path / "record.jsonl"
    with closing(PaymentLog(path)) as record:
        record.write(SENT)
        path.rename(tmp_path / "elsewhere")
        if replaced:
            path.write_text("mine")
        with pytest.raises(LogUnusableError, match="removed or replaced while the run was using it"):
            record.write(recorded())
    assert (path.read_text() == "mine") if replaced else not path.exists()


def test_what_is_not_a_regular_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogUnusableError, match="is not a regular file"):
        PaymentLog(tmp_path)


def test_a_file_that_cannot_be_made_ends_the_run_at_its_first_line(tmp_path: Path) -> None:
    record = PaymentLog(tmp_path / "missing" / "record.jsonl")
    with pytest.raises(LogUnusableError, match="cannot be opened: No such file"):
        record.write(SENT)


@pytest.mark.parametrize("kept", [1, 9, 40, -1])
def test_a_torn_last_line_is_dropped_and_the_next_begins_a_line(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with closing(PaymentLog(path)) as record:
        record.write(SENT)
        whole = path.read_bytes()
    path.write_bytes(whole + whole.rstrip()[:kept])
    with closing(PaymentLog(path)) as record:
        assert record.payments == [SENT]
        record.write(recorded())
    assert [payment.outcome for payment in read_back(path)] == [RECORDED]
    assert path.read_bytes().count(b"\n") == 2


def test_a_last_line_that_lacks_only_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    path.write_text(json.dumps(asdict(recorded())))
    for _ in range(2):
        assert [payment.id for payment in read_back(path)] == ["id-1"]
    assert path.read_bytes().count(b"\n") == 1


def test_attempts_go_on_where_the_file_ends(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with closing(PaymentLog(path)) as record:
        assert record.attempts == 0
        record.write(replace(SENT, attempt=7))
    for resumed in (True, False):
        with closing(PaymentLog(path, resumed=resumed)) as record:
            assert record.attempts == 7


def test_what_was_refused_is_handed_to_the_run_that_resumes(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    refused = settled(SENT, REFUSED, 400)
    with closing(PaymentLog(path)) as record:
        record.write(SENT)
        record.write(refused)
        assert record.earlier == []
    with closing(PaymentLog(path)) as record:
        assert record.earlier == [refused]
        assert record.payments == []


def test_an_earlier_run_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with closing(PaymentLog(path)) as record:
        record.write(recorded())
    assert [payment.id for payment in read_back(path)] == ["id-1"]


def test_a_run_of_its_own_has_only_its_own_payments(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    second = recorded(replace(SENT, reference="ct-other-1", attempt=2), "id-2")
    with closing(PaymentLog(path)) as record:
        record.write(recorded())
    with closing(PaymentLog(path, resumed=False)) as record:
        record.write(second)
        assert record.payments == [second]
    assert [payment.id for payment in read_back(path)] == ["id-1", "id-2"]


@pytest.mark.parametrize("resumed", [True, False])
@pytest.mark.parametrize("ending", ["", "\n"])
@pytest.mark.parametrize("line", ["[]", '{"time": 1}', "null", "all that I own", '{"other": "file"}'])
def test_a_file_that_is_not_a_record_is_left_as_it_is(
    line: str,
    ending: str,
    resumed: bool,  # noqa: FBT001 - a column of the table
    tmp_path: Path,
) -> None:
    path = tmp_path / "record.jsonl"
    path.write_text(line + ending)
    with pytest.raises(LogUnusableError, match=r"record\.jsonl, line 1"):
        PaymentLog(path, resumed=resumed)
    assert path.read_text() == line + ending


@pytest.mark.parametrize("amount", ["ten", ""])
def test_a_line_whose_amount_is_not_a_number_is_not_one_of_a_record(amount: str, tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    path.write_text(json.dumps(asdict(replace(SENT, amount=amount))) + "\n")
    with pytest.raises(LogUnusableError, match="line 1"):
        PaymentLog(path)
