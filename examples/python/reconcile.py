"""Reads an invoice back: its balance, and every payment by the reference that it was sent with.

    pip install httpx2 msgspec
    python reconcile.py http://127.0.0.1:8080 INV-1002

ALVYS_TOKEN is sent as the access token, if it is set; it needs the scope invoice:read. Exit status: 0 read,
1 there is no such invoice, or the service refuses.
"""

import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx2
import msgspec

PATH = "/api/p/v1.0/invoices"
# Money stays decimal: a float cannot hold every amount.
DECODER = msgspec.json.Decoder(float_hook=Decimal)


def read(client: httpx2.Client, number: str) -> Any:
    """The invoice with a number; HTTPStatusError if the service has none, or refuses."""
    response = client.get(PATH, params={"invoiceNumber": number})
    response.raise_for_status()
    return DECODER.decode(response.content)


def lines(invoice: dict[str, Any]) -> Iterator[str]:
    """The invoice, then each of its payments."""
    remaining, total = invoice["RemainingBalance"]["Amount"], invoice["Total"]["Amount"]
    yield f"{invoice['Number']} {invoice['Status']}: {remaining} of {total} remain"
    for payment in invoice["Payments"]:
        yield f"  {payment['PaymentReference']} {payment['Amount']['Amount']} {payment['PaymentDate']}"


def main(url: str, number: str) -> int:
    """Prints the invoice that the command line names; the exit status."""
    token = os.environ.get("ALVYS_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx2.Client(base_url=url, headers=headers, timeout=30) as client:
        try:
            invoice = read(client, number)
        except httpx2.HTTPStatusError as error:
            sys.stderr.write(f"{number} was not read: {error.response.status_code}\n")
            return 1
    sys.stdout.write("\n".join(lines(invoice)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
