"""Compares the stand-in with localstripe for what both know; see the README."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import stripe

from tests.billing.payments.stripe_stand_in.server import KEY, running
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 8420


def answers(api: stripe.StripeClient) -> dict[str, Any]:
    """Return what one server answers, without ids and times."""
    product = api.v1.products.create({"id": "iit-plan", "name": "Plan"})
    customer = api.v1.customers.create({"name": "Partner", "email": "a@example.org", "metadata": {"tenant": "7"}})
    api.v1.customers.update(customer.id, {"name": "Partner B", "metadata": {"more": "1"}})
    again = api.v1.customers.retrieve(customer.id)
    tax = api.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": "FR12345678901"})
    try:
        api.v1.customers.retrieve("cus_unknown")
        unknown = "no error"
    except stripe.InvalidRequestError as error:
        unknown = f"{error.http_status} {error.code}"
    return {
        "product": (product.id, product.name, product.object),
        "customer": (again.name, again.email, dict(again.metadata.to_dict()), again.object),
        "tax id": (tax.type, tax.value, tax.object, tax.customer == customer.id),
        "unknown": unknown.split()[0],
    }


def _answers() -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", PORT)) == 0


@contextmanager
def localstripe() -> Iterator[str]:
    """Run localstripe."""
    process = subprocess.Popen(
        [sys.executable, "-m", "localstripe", "--port", str(PORT), "--from-scratch"], stderr=subprocess.DEVNULL
    )
    try:
        wait_until(_answers)
        yield f"http://127.0.0.1:{PORT}"
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    """Print what differs; return 1 if anything does."""
    with running() as ours, localstripe() as theirs:
        seen = [answers(stripe.StripeClient(KEY, base_addresses={"api": url})) for url in (ours.url, theirs)]
    differing = {name for name in seen[0] if seen[0][name] != seen[1][name]}
    for name, answer in seen[0].items():
        print(f"{'DIFFERS' if name in differing else 'same'}: {name}: {answer} / {seen[1][name]}")  # noqa: T201
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main())
