"""The record of payments survives the run, and can be read back."""

import json
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from contract_tests.safety.payment_log import (
    RECORDED,
    REFUSED,
    SENDING,
    UNKNOWN,
    LoggedPayment,
    PaymentLog,
    settled,
)

SENT = LoggedPayment("2026-07-01T00:00:00.000Z", "LD-1", "ct-run-1", "0.10", 840, SENDING)
AMOUNT_IS_A_WORD = json.dumps(asdict(replace(SENT, amount="ten")))


def read_back(path: Path) -> list[LoggedPayment]:
    with closing(PaymentLog(path)) as record:
        return record.payments


def test_every_line_names_time_load_reference_amount_status_and_id(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with closing(PaymentLog(path)) as record:
        record.write(SENT)
        record.write(settled(SENT, RECORDED, 200, "id-1"))
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
    }
    assert (after["outcome"], after["status"], after["id"]) == ("recorded", 200, "id-1")


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


def test_a_replay_does_not_change_what_was_recorded() -> None:
    record = PaymentLog()
    first = settled(SENT, RECORDED, 200, "id-1")
    for line in (SENT, first, SENT, settled(SENT, RECORDED, 200, "id-1"), SENT, settled(SENT, REFUSED, 400)):
        record.write(line)
    assert record.payments == [first]


def test_a_replay_without_a_response_stays_in_doubt() -> None:
    record = PaymentLog()
    first = settled(SENT, RECORDED, 200, "id-1")
    for line in (SENT, first, SENT):
        record.write(line)
    assert [payment.outcome for payment in record.payments] == [RECORDED, SENDING]


def test_an_earlier_run_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    with closing(PaymentLog(path)) as record:
        record.write(settled(SENT, RECORDED, 200, "id-1"))
    assert [payment.id for payment in read_back(path)] == ["id-1"]


def test_a_run_of_its_own_has_only_its_own_payments(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    second = settled(replace(SENT, reference="ct-other-1"), RECORDED, 200, "id-2")
    with closing(PaymentLog(path)) as record:
        record.write(settled(SENT, RECORDED, 200, "id-1"))
    with closing(PaymentLog(path, resumed=False)) as record:
        record.write(second)
        assert record.payments == [second]
    assert [payment.id for payment in read_back(path)] == ["id-1", "id-2"]


@pytest.mark.parametrize("resumed", [True, False])
@pytest.mark.parametrize("line", ["{", "[]", '{"time": 1}', "null", AMOUNT_IS_A_WORD])
def test_a_file_that_is_not_a_record_is_not_appended_to(
    line: str,
    resumed: bool,  # noqa: FBT001 - a column of the table
    tmp_path: Path,
) -> None:
    path = tmp_path / "record.jsonl"
    path.write_text(line)
    with pytest.raises(ValueError, match=r"record\.jsonl, line 1"):
        PaymentLog(path, resumed=resumed)
    assert path.read_text() == line
