"""Links to Stripe's pages: Checkout for one invoice, and the customer portal.

At most one Checkout session of an invoice can be paid: the next one is created only when Stripe says that the last one
has expired. So two links never bring two payments.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from psycopg.types.json import Jsonb

from billing.invoices.payments import balance, find_invoice
from billing.payments.amounts import smallest_units
from billing.payments.client import StripeAway, read, write
from billing.payments.link import Link
from billing.payments.payments import apply_session
from core.clock import now
from core.database import platform_session, psycopg_connection
from core.errors import Conflict, Unavailable, phrase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

LASTS: Final = timedelta(hours=23)
"""How long a Checkout session can be paid. Stripe's most is a day."""
_RESERVED: Final = timedelta(minutes=2)
_LAST: Final = """
SELECT own_id, provider_id, detail, recorded_at FROM platform.provider_objects
WHERE kind = 'checkout' AND detail ->> 'invoice' = %s ORDER BY recorded_at DESC, own_id DESC LIMIT 1
"""
_RESERVE: Final = """
INSERT INTO platform.provider_objects (kind, own_id, tenant_id, provider_id, detail, recorded_at)
VALUES ('checkout', %s, %s, NULL, %s, %s) ON CONFLICT (kind, own_id) DO NOTHING
"""
_CREATED: Final = """
UPDATE platform.provider_objects SET provider_id = %s WHERE kind = 'checkout' AND own_id = %s
"""


class Stripe:
    """Payment on Stripe's pages."""

    name = "stripe"

    def payment_link(self, invoice_id: UUID, *, return_url: str) -> Link | None:
        """Return the page of Stripe on which what is owed of an invoice can be paid; see ``Provider``."""
        with _answering():
            return _payment_link(invoice_id, return_url)

    def portal_link(self, tenant_id: UUID, *, return_url: str) -> Link | None:
        """Return the page of Stripe on which a partner sees its payments and cards; see ``Provider``."""
        customer = _customer(tenant_id)
        with _answering():
            body = {"customer": customer, "return_url": return_url}
            key = f"iit:portal:{tenant_id}:{now().timestamp():.6f}"
            return Link(str(write("post", "/v1/billing_portal/sessions", body, key=key)["url"]))


def _payment_link(invoice_id: UUID, return_url: str) -> Link:
    with platform_session() as session:
        invoice = find_invoice(session, invoice_id)
        owed, currency, label, tenant_id = balance(session, invoice), invoice.currency, invoice.label, invoice.tenant_id
        if invoice.state != "final" or owed <= 0:
            raise Conflict(phrase("nothing is owed for {number}", number=label))
        row = psycopg_connection(session).execute(_LAST, (str(invoice_id),)).fetchone()
    units, customer = smallest_units(owed, currency), _customer(tenant_id)
    turn = 1
    if row is not None:
        turn = int(row[0].rpartition(":")[2]) + 1
        open_link = _still_open(row, units, label)
        if open_link is not None:
            return open_link
    own_id = f"{invoice_id}:{turn}"
    with platform_session() as session:
        detail = Jsonb({"invoice": str(invoice_id), "units": units})
        if psycopg_connection(session).execute(_RESERVE, (own_id, tenant_id, detail, now())).rowcount == 0:
            raise _being_created(label)
    expires = now() + LASTS
    item = {"currency": currency.lower(), "unit_amount": units, "product_data": {"name": label}}
    body: dict[str, Any] = {
        "mode": "payment",
        "customer": customer,
        "client_reference_id": str(invoice_id),
        "line_items": [{"quantity": 1, "price_data": item}],
        "metadata": {"invoice": str(invoice_id), "number": label},
        "success_url": return_url,
        "cancel_url": return_url,
        "expires_at": int(expires.timestamp()),
    }
    created = write("post", "/v1/checkout/sessions", body, key=f"iit:checkout:{own_id}")
    with platform_session() as session:
        psycopg_connection(session).execute(_CREATED, (created["id"], own_id))
    return Link(str(created["url"]), expires)


def _still_open(row: tuple[Any, ...], units: int, label: str) -> Link | None:
    """Return the link of the last session if it asks for the same amount; make sure that it can bring nothing else.

    Raises:
        Conflict: it was paid, is being paid, or is being created by another request.
    """
    _, provider_id, detail, recorded_at = row
    if provider_id is None:
        if recorded_at > now() - _RESERVED:
            raise _being_created(label)
        return None  # nobody ever got its address
    theirs = read(f"/v1/checkout/sessions/{provider_id}")
    if theirs["status"] == "complete":
        if apply_session(theirs):
            raise Conflict(phrase("{number} was paid just now", number=label))
        if _is_processing(theirs):
            detail = phrase("a payment of {number} is on its way", number=label)
            raise Conflict(detail, remedy="Wait until the bank has answered; that may take days.")
        return None
    if theirs["status"] != "open":
        return None
    if detail["units"] == units:
        return Link(str(theirs["url"]), datetime.fromtimestamp(theirs["expires_at"], UTC))
    write("post", f"/v1/checkout/sessions/{provider_id}/expire", {}, key=f"iit:expire:{provider_id}")
    return None


def _is_processing(theirs: dict[str, Any]) -> bool:
    intent = read(f"/v1/payment_intents/{theirs['payment_intent']}")
    return str(intent["status"]) == "processing"


def _customer(tenant_id: UUID) -> str:
    query = "SELECT provider_id FROM platform.provider_objects WHERE kind = 'customer' AND own_id = %s"
    with platform_session() as session:
        row = psycopg_connection(session).execute(query, (str(tenant_id),)).fetchone()
    if row is None:
        raise Conflict("Stripe does not know the partner yet", remedy="Try again in a minute.")
    return str(row[0])


def _being_created(label: str) -> Conflict:
    return Conflict(phrase("a link to pay {number} is being made", number=label), remedy="Try again in two minutes.")


@contextmanager
def _answering() -> Iterator[None]:
    """Turn failures of Stripe into errors for people.

    Raises:
        Unavailable: Stripe did not answer, or failed.
    """
    import stripe

    try:
        yield
    except (StripeAway, stripe.StripeError) as error:
        raise Unavailable("Stripe does not answer", remedy="Try again later, or pay by bank transfer.") from error
