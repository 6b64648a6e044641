"""A client that a public generator makes of openapi.yaml, with no line of it written by hand."""

import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from mock_server.decimal_json import encode
from mock_server.revisions import read_spec
from mock_server.sandbox import Settings
from mock_server.shipped import SPEC
from mock_server.testing import MockServer

CONFIG = Path(__file__).with_name("openapi-python-client.yaml")


@pytest.fixture
def generated(revision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the package that was generated of a revision's document, ready for import."""
    document, package = tmp_path / "openapi.json", f"generated_client_{revision[:4]}"
    document.write_bytes(encode(read_spec(SPEC, revision).document))
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    command += ["--path", str(document), "--config", str(CONFIG), "--output-path", str(tmp_path / package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    return package


def paid_and_read(generated: str, revision: str, **amount: object) -> tuple[Any, Any]:
    """What the generated client makes of the response to a payment and of the load."""
    models = import_module(f"{generated}.models")
    record = import_module(f"{generated}.api.payments.record_customer_payment")
    get_load = import_module(f"{generated}.api.loads.get_load")
    authenticated_client = import_module(generated).AuthenticatedClient
    payment = models.CustomerPaymentRequest(
        load_number="LD-1001",
        amount=models.PaymentAmount(amount=1250.10, **amount),
        payment_date=PAID,
        reference_number="R-1",
    )
    with (
        MockServer(settings=Settings(require_token=True, revision=revision)) as mock,
        authenticated_client(base_url=mock.url, token=mock.token()) as client,
    ):
        return record.sync(client=client, body=payment), get_load.sync(client=client, load_number="LD-1001")


PAID = datetime(2026, 7, 1, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize("revision", ["page"])
def test_generated_client_posts_a_payment_and_reads_it_back(generated: str, revision: str) -> None:
    response, load = paid_and_read(generated, revision, currency=840)
    models = import_module(f"{generated}.models")
    assert [each.reference_number for each in response.customer_payments] == ["R-1"]
    assert response.customer_payments[0].payment_date == PAID
    assert load.total_paid == models.Money(amount=1250.10, currency=840)
    assert [each.id for each in load.payments] == [each.id for each in response.customer_payments]


@pytest.mark.parametrize("revision", ["2026-07"])
def test_client_generated_of_the_revision_posts_a_payment_and_reads_it_back(
    generated: str, revision: str
) -> None:
    response, load = paid_and_read(generated, revision)
    models = import_module(f"{generated}.models")
    assert response.total_paid == load.total_paid == models.Money(amount=1250.10, currency=840)
    assert response.total_billable == models.Money(amount=1850, currency=840)
    assert [(each.id, each.amount, each.paid_at) for each in load.payments] == [
        (response.id, response.total_paid, load.paid_at)
    ]
    assert (load.load_type, [stop.type_ for stop in load.stops]) == ("Truckload", ["Pickup", "Delivery"])
    assert load.stops[0].address.city == "Dallas"
