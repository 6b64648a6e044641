"""A client that a public generator makes of openapi.yaml, with no line of it written by hand."""

import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest

from mock_server.sandbox import Settings
from mock_server.shipped import SPEC
from mock_server.testing import MockServer

CONFIG = Path(__file__).with_name("openapi-python-client.yaml")
PACKAGE = "generated_client"


@pytest.fixture
def generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the package that was generated, ready for import."""
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    command += ["--path", str(SPEC), "--config", str(CONFIG), "--output-path", str(tmp_path / PACKAGE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    return PACKAGE


def test_generated_client_posts_a_payment_and_reads_it_back(generated: str) -> None:
    models = import_module(f"{generated}.models")
    record = import_module(f"{generated}.api.payments.record_customer_payment")
    get_load = import_module(f"{generated}.api.loads.get_load")
    authenticated_client = import_module(generated).AuthenticatedClient
    payment = models.CustomerPaymentRequest(
        load_number="LD-1001",
        amount=models.PaymentAmount(amount=1250.10, currency=840),
        payment_date=datetime(2026, 7, 1, 15, 30, tzinfo=UTC),
        reference_number="R-1",
    )
    with (
        MockServer(settings=Settings(require_token=True)) as mock,
        authenticated_client(base_url=mock.url, token=mock.token()) as client,
    ):
        response = record.sync(client=client, body=payment)
        load = get_load.sync(client=client, load_number="LD-1001")

    assert [each.reference_number for each in response.customer_payments] == ["R-1"]
    assert response.customer_payments[0].payment_date == payment.payment_date
    assert load.total_paid == models.Money(amount=1250.10, currency=840)
    assert [each.id for each in load.payments] == [each.id for each in response.customer_payments]
