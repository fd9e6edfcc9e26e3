"""The log of Stripe's messages: each is stored one time, by webhook or from Stripe's list, and applied later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from billing.payments.client import enabled, read, read_all
from core.clock import now
from core.database import platform_session, psycopg_connection
from core.errors import Forbidden, Invalid, NotFound
from core.settings import get_settings

if TYPE_CHECKING:
    from threading import Event

    from sqlmodel import Session

WANTED: Final = (
    "charge.dispute.created",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "customer.deleted",
    "customer.subscription.deleted",
    "customer.subscription.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "v1.billing.meter.error_report_triggered",
    "v1.billing.meter.no_meter_found",
)
"""Types of events that concern us. The event destinations at Stripe need no others."""

OVERLAP: Final = timedelta(hours=2)
"""Events of so long before the last look are asked for again: Stripe's list may be late."""
LISTED: Final = timedelta(days=29)
"""Stripe lists events of the last 30 days."""

_STORE: Final = """
INSERT INTO platform.provider_events AS events
    (id, type, object_id, thin, source, times, created_at, received_at, state, due_at, attempts)
VALUES (%(id)s, %(type)s, %(object)s, %(thin)s, %(source)s, %(times)s, %(created)s, %(now)s, %(state)s, %(now)s, 0)
ON CONFLICT (id) DO UPDATE SET times = events.times + excluded.times
RETURNING times = %(times)s AND received_at = %(now)s
"""


def receive(body: bytes, signature: str | None) -> bool:
    """Store a message of Stripe after a check of its signature. Return whether it is new.

    Args:
        body: to the byte. It is parsed only after the check.
        signature: the header ``Stripe-Signature``.

    Raises:
        NotFound: this installation has no account at Stripe (404).
        Forbidden: the signature is not Stripe's, or older than 5 minutes (403).
        Invalid: the message is no event (422).
    """
    import stripe

    if not enabled():
        raise NotFound("nobody receives requests at this address")
    for secret in get_settings().stripe_webhook_secrets():
        try:
            stripe.WebhookSignature.verify_header(body, signature, secret, stripe.Webhook.DEFAULT_TOLERANCE)
            break
        except (stripe.SignatureVerificationError, UnicodeDecodeError):
            continue
    else:
        detail = "the request is not signed by Stripe, or is older than 5 minutes"
        raise Forbidden(detail, remedy="Check IIT_STRIPE_WEBHOOK_SECRET and the clock of this server.")
    try:
        event = orjson.loads(body)
        with platform_session() as session:
            return store(session, event, source="webhook")
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid("the request is no event of Stripe") from error


def store(session: Session, event: dict[str, Any], *, source: str) -> bool:
    """Store an event if it is new, and return whether it is. Of its content, only what it is about is stored.

    Raises:
        KeyError, ValueError, TypeError: it is no event.
    """
    thin = event["object"] == "v2.core.event"
    subject = (event.get("related_object") or {}) if thin else event["data"]["object"]
    created = event["created"]
    moment = datetime.fromisoformat(created) if isinstance(created, str) else datetime.fromtimestamp(created, UTC)
    values = {
        "id": str(event["id"]),
        "type": str(event["type"]),
        "object": subject.get("id"),
        "thin": thin,
        "source": source,
        "times": 1 if source == "webhook" else 0,
        "created": moment,
        "now": now(),
        "state": "waiting" if event["type"] in WANTED else "ignored",
    }
    return bool(psycopg_connection(session).execute(_STORE, values).fetchall()[0][0])


def catch_up(stopping: Event) -> int:
    """Store the events that Stripe lists and whose webhooks never came: a round of a loop. Return how many are new.

    Raises:
        StripeAway, stripe.StripeError, BreakerOpen: Stripe cannot be asked now; the next round asks for the same.
    """
    if not enabled():
        return 0
    began = now()
    with platform_session() as session:
        row = (
            psycopg_connection(session)
            .execute("SELECT at FROM platform.provider_cursors WHERE name = 'events'")
            .fetchone()
        )
        meters = [
            each[0]
            for each in psycopg_connection(session).execute(
                "SELECT provider_id FROM platform.provider_objects WHERE kind = 'meter' AND provider_id IS NOT NULL"
            )
        ]
    since = began - LISTED if row is None or row[0] is None else max(row[0] - OVERLAP, began - LISTED)
    types = [each for each in WANTED if not each.startswith("v1.")]
    listed = list(read_all("/v1/events", types=types, created={"gte": int(since.timestamp())}))
    for meter in meters:
        if stopping.is_set():
            return 0
        thin = read("/v2/core/events", object_id=meter)["data"]
        listed += [each for each in thin if datetime.fromisoformat(each["created"]) >= since]
    with platform_session() as session:
        new = sum(store(session, event, source="list") for event in reversed(listed))
        psycopg_connection(session).execute(
            "INSERT INTO platform.provider_cursors (name, at) VALUES ('events', %s)"
            " ON CONFLICT (name) DO UPDATE SET at = excluded.at",
            (began,),
        )
    return new
