"""Applies Stripe's messages: asks Stripe how the object is now, and brings our ledger there.

A message only says that something changed. So messages may come late, twice, in any order or never: what is applied is
the state that Stripe answers, and applying it again changes nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from psycopg.rows import dict_row

from billing.payments import differences, payments
from billing.payments.client import StripeAway, enabled, read
from billing.payments.mirror import plan_pause
from core import telemetry
from core.clock import now
from core.database import platform_session, psycopg_connection
from core.resilience.errors import NOT_CALLED

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

PATIENCE: Final = timedelta(days=3)
"""How long a message is tried, before a person must look."""
_MOST: Final = 500
_NEXT: Final = """
SELECT id, type, object_id, thin, received_at, attempts FROM platform.provider_events
WHERE state = 'waiting' AND due_at <= %s ORDER BY received_at, id LIMIT %s
"""
_APPLIED: Final = """
UPDATE platform.provider_events SET state = 'applied', applied_at = %(now)s, error = NULL
WHERE state = 'waiting' AND (id = %(id)s OR (object_id = %(object)s AND NOT thin AND type = %(type)s
    AND received_at <= %(asked)s))
"""
_LATER: Final = """
UPDATE platform.provider_events SET attempts = attempts + 1, error = %s, due_at = %s,
    state = CASE WHEN received_at < %s THEN 'failed' ELSE state END
WHERE id = %s AND state = 'waiting'
"""

log = telemetry.get_logger(__name__)


def apply_waiting(stopping: Event) -> int:
    """Apply the messages that wait: a round of a loop. Return how many objects were asked about."""
    if not enabled():
        return 0
    with platform_session() as session, psycopg_connection(session).cursor(row_factory=dict_row) as cursor:
        waiting = cursor.execute(_NEXT, (now(), _MOST)).fetchall()
    asked, applied = 0, set[tuple[str, str]]()
    for event in waiting:
        subject = (event["type"], event["object_id"])
        if stopping.is_set():
            break
        if not event["thin"] and subject in applied:
            continue
        if not _apply(event):
            break
        applied.add(subject)
        asked += 1
    return asked


def _apply(event: dict[str, Any]) -> bool:
    """Apply one message; return whether Stripe could be asked."""
    import stripe

    began = now()
    try:
        _handlers()[event["type"]](event)
    except (*NOT_CALLED, StripeAway):
        return False
    except stripe.InvalidRequestError as error:
        if error.code != "resource_missing":
            _later(event, error.code or "rejected")
            return True
    except stripe.StripeError as error:
        _later(event, type(error).__name__)
        return False
    except Exception as error:
        log.exception("a message of Stripe could not be applied", type=event["type"], error=type(error).__name__)
        _later(event, type(error).__name__)
        return True
    with platform_session() as session:
        values = {"id": event["id"], "object": event["object_id"], "type": event["type"], "now": now(), "asked": began}
        psycopg_connection(session).execute(_APPLIED, values)
    return True


def _later(event: dict[str, Any], error: str) -> None:
    pause = timedelta(seconds=min(3600, 5 * 2 ** min(event["attempts"], 10)))
    with platform_session() as session:
        psycopg_connection(session).execute(_LATER, (error, now() + pause, now() - PATIENCE, event["id"]))


def _handlers() -> dict[str, Callable[[dict[str, Any]], None]]:
    return {
        **{f"checkout.session.{name}": _checkout for name in _SESSION_EVENTS},
        **{f"refund.{name}": _refund for name in ("created", "updated", "failed")},
        "charge.dispute.created": _dispute,
        "customer.deleted": _customer,
        "customer.subscription.deleted": _subscription,
        "customer.subscription.updated": _subscription,
        "v1.billing.meter.error_report_triggered": _meter_errors,
        "v1.billing.meter.no_meter_found": _meter_errors,
    }


_SESSION_EVENTS: Final = ("completed", "async_payment_succeeded", "async_payment_failed", "expired")


def _checkout(event: dict[str, Any]) -> None:
    payments.apply_session(read(f"/v1/checkout/sessions/{event['object_id']}"))


def _refund(event: dict[str, Any]) -> None:
    payments.apply_refund(read(f"/v1/refunds/{event['object_id']}"))


def _dispute(event: dict[str, Any]) -> None:
    differences.note("payment", event["object_id"], "disputed", ours="paid", theirs="disputed by the payer's bank")


def _customer(event: dict[str, Any]) -> None:
    own = differences.own_object("customer", event["object_id"])
    if own is not None:
        differences.note(
            "customer", own.own_id, "deleted_at_provider", ours="exists", theirs="deleted", tenant_id=own.tenant_id
        )


def _subscription(event: dict[str, Any]) -> None:
    own = differences.own_object("subscription", event["object_id"])
    if own is not None:
        check_subscription(own, read(f"/v1/subscriptions/{event['object_id']}"))


def check_subscription(own: differences.OwnObject, theirs: dict[str, Any]) -> None:
    """Compare a subscription with Stripe's: mend what must be paused, and escalate what was cancelled there."""
    if differences.is_ended(own.own_id):
        return
    if theirs["status"] == "canceled":
        differences.note(
            "subscription",
            own.own_id,
            "canceled_at_provider",
            ours="active",
            theirs="canceled",
            tenant_id=own.tenant_id,
        )
    elif (theirs.get("pause_collection") or {}).get("behavior") != "void" and own.tenant_id is not None:
        with platform_session() as session:
            plan_pause(session, own.tenant_id, own.own_id, f"again:{now():%Y%m%d%H}")
        differences.note(
            "subscription",
            own.own_id,
            "collects",
            ours="paused",
            theirs="collects",
            tenant_id=own.tenant_id,
            mending=True,
        )


def _meter_errors(event: dict[str, Any]) -> None:
    """Mark the meter events that Stripe rejected after it had accepted them."""
    data = read(f"/v2/core/events/{event['id']}")["data"]
    for kind in data["reason"]["error_types"]:
        for sample in kind["sample_errors"]:
            differences.reject_event(sample["request"]["identifier"], kind["code"])
        missing = kind["error_count"] - len(kind["sample_errors"])
        if missing:
            differences.note(
                "usage", event["id"], kind["code"], ours=f"{missing} more events", theirs="rejected without their names"
            )
