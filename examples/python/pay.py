"""Posts one customer payment, and retries without paying twice.

    pip install httpx2 msgspec
    python pay.py http://127.0.0.1:8080 LD-1001 1250.10 ACH-1

ALVYS_TOKEN is sent as the access token, if it is set. Exit status: 0 recorded, 1 refused, 2 no response.
"""

import os
import random
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import httpx2
import msgspec

PATH = "/api/p/v1.0/invoices/customer-payments"
RETRIED = {408, 429, 500, 502, 503, 504}
ATTEMPTS = 5
LONGEST_WAIT = 300.0
"""Seconds. Who is told to wait longer should come back later, with the same reference."""

# Money stays decimal in both directions: a float cannot hold every amount.
ENCODER = msgspec.json.Encoder(decimal_format="number")
DECODER = msgspec.json.Decoder(float_hook=Decimal)


class PaymentRefused(Exception):
    """The service refuses the payment. To send the same request again would change nothing."""


class NoResponse(Exception):
    """Whether the payment was recorded is unknown. Send it again later, with the same reference."""


def pay(client: httpx2.Client, payment: dict[str, Any]) -> Any:
    """Posts a payment until there is a response, and returns it; PaymentRefused, NoResponse.

    Every attempt sends the same ReferenceNumber. If an earlier attempt was recorded and only its
    response was lost, the service returns that payment and records no second one.
    """
    body = ENCODER.encode(payment)
    wait = 0.0
    for attempt in range(ATTEMPTS):
        time.sleep(wait)
        wait = random.uniform(0.5, 1) * 0.2 * 2**attempt  # noqa: S311 - spreads the clients, hides nothing
        try:
            response = client.post(PATH, content=body)
            if response.status_code == HTTPStatus.OK:
                return DECODER.decode(response.content)
        except (httpx2.TransportError, msgspec.DecodeError):
            continue
        if response.status_code not in RETRIED:
            raise PaymentRefused(f"{response.status_code}: {sentence(response)}")
        wait = float(response.headers.get("Retry-After", wait))  # seconds, as the vendor sends it
        if wait > LONGEST_WAIT:
            raise NoResponse(f"the service asks to wait for {wait:.0f} seconds")
    raise NoResponse(f"no response after {ATTEMPTS} attempts")


def sentence(response: httpx2.Response) -> str:
    """What a refusal says, for a person to read."""
    try:
        problem = DECODER.decode(response.content)
        return str(problem.get("detail") or problem["title"])
    except (msgspec.DecodeError, AttributeError, KeyError):
        return response.text


def main(url: str, load: str, amount: str, reference: str) -> int:
    """Posts the payment that the command line describes; the exit status."""
    payment = {
        "LoadNumber": load,
        "Amount": {"Amount": Decimal(amount), "Currency": 840},
        "PaymentDate": datetime.now(UTC).isoformat(),
        "ReferenceNumber": reference,
    }
    headers = {"Content-Type": "application/json-patch+json"}
    if token := os.environ.get("ALVYS_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    with httpx2.Client(base_url=url, headers=headers, timeout=30) as client:
        try:
            recorded = pay(client, payment)
        except PaymentRefused as refusal:
            sys.stderr.write(f"Refused with {refusal}\n")
            return 1
        except NoResponse as error:
            sys.stderr.write(f"Unknown whether it was recorded: {error}\n")
            return 2
    sys.stdout.write(f"Recorded {reference} on {load}, which is {recorded['Status']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
