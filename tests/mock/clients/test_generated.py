"""A client that a public generator makes of each revision, with no line of it written by hand."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from mock_server.revisions import NAMES, read_spec
from mock_server.sandbox import Settings
from mock_server.shipped import SPEC
from mock_server.testing import MockServer

CONFIG = Path(__file__).with_name("openapi-python-client.yaml")


class Generated(NamedTuple):
    """A package that was generated of the document in a revision, ready for import."""

    package: str
    revision: str

    def module(self, name: str) -> ModuleType:
        return import_module(f"{self.package}.{name}")


@pytest.fixture(params=NAMES)
def generated(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generated:
    package = f"client_of_{request.param.replace('-', '_')}"
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(read_spec(SPEC, request.param).document, default=float))
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    command += ["--path", str(path), "--config", str(CONFIG), "--output-path", str(tmp_path / package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    return Generated(package, request.param)


def test_generated_client_posts_a_payment_and_reads_it_back(generated: Generated) -> None:
    models = generated.module("models")
    record = generated.module("api.payments.record_customer_payment")
    get_load = generated.module("api.loads.get_load")
    payment = models.CustomerPaymentRequest(
        load_number="LD-1001",
        amount=models.PaymentAmount(amount=1250.10, currency=840),
        payment_date=datetime(2026, 7, 1, 15, 30, tzinfo=UTC),
        reference_number="R-1",
    )
    with (
        MockServer(settings=Settings(revision=generated.revision, require_token=True)) as mock,
        import_module(generated.package).AuthenticatedClient(base_url=mock.url, token=mock.token()) as client,
    ):
        response = record.sync(client=client, body=payment)
        load = get_load.sync(client=client, load_number="LD-1001")

    assert load.total_paid == models.Money(amount=1250.10, currency=840)
    SHOWN[generated.revision](response, load, payment)


def page_shows(response: Any, load: Any, payment: Any) -> None:
    assert [each.reference_number for each in response.customer_payments] == ["R-1"]
    assert response.customer_payments[0].payment_date == payment.payment_date
    assert [each.id for each in load.payments] == [each.id for each in response.customer_payments]


def july_shows(response: Any, load: Any, _payment: Any) -> None:
    assert response.total_paid == load.total_paid
    assert response.total_billable == load.invoiced_amount
    assert [each.id for each in load.payments] == [response.id]
    assert [each.paid_at for each in load.payments] == [load.paid_at]
    assert [stop.address.city for stop in load.stops] == ["Dallas", "Denver"]


SHOWN = {"page": page_shows, "2026-07": july_shows}
"""What else a response and a load show, by revision."""
