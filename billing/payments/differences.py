"""Differences between our ledger and Stripe: noted one time while open, with their cause, until mended or closed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from psycopg.rows import class_row
from uuid_utils.compat import uuid7

from core import telemetry
from core.clock import now
from core.database import platform_session, psycopg_connection
from core.events.operator_events import BUSINESS, DIFFERENCE, announce, changed
from core.metrics import Counter

if TYPE_CHECKING:
    from collections.abc import Sequence

CAUSES: Final = {
    "late_for_provider": "the use is older than Stripe takes; our next invoice has it",
    "rejected_by_provider": "Stripe rejected the call; correct the cause, then retry it",
    "delayed": "Stripe is away or slow; the call is sent as soon as it answers",
    "missing_at_provider": "Stripe accepted the event and does not count it",
    "surplus_at_provider": "Stripe counts more than we sent",
    "not_planned": "the roll-up has more than was planned for Stripe",
    "payment_not_recorded": "Stripe has a payment whose messages never came",
    "payment_unknown_to_provider": "we recorded a payment that Stripe does not know",
    "overpaid": "more was paid than was owed; refund it at Stripe, or grant a credit",
    "refund_without_credit_note": "money was returned for an invoice that still asks for it; issue a credit note",
    "disputed": "the payer's bank disputes the payment; answer at Stripe",
    "customer_differs": "the customer was changed at Stripe; ours is written again",
    "deleted_at_provider": "the object was deleted at Stripe",
    "canceled_at_provider": "the subscription was cancelled at Stripe; ours runs on",
    "collects": "the subscription collects money beside our invoices; it is paused again",
    "meter_inactive": "the meter was deactivated at Stripe; activate it there",
}
"""Causes, as people read them. Codes of Stripe's own errors come beside these.

A difference with such a code stays open until a person closes it: Stripe reports an error once, and never its end.
"""

NOTED: Final = Counter("iit_billing_differences_total", "Differences between our ledger and Stripe.", ("kind", "state"))

_NOTE: Final = """
WITH before AS (
    SELECT state FROM platform.provider_differences
    WHERE kind = %(kind)s AND own_id = %(own_id)s AND cause = %(cause)s AND state IN ('escalated', 'mending')
)
INSERT INTO platform.provider_differences AS differences
    (id, tenant_id, kind, own_id, cause, ours, theirs, state, first_seen_at, last_seen_at)
VALUES (%(id)s, %(tenant)s, %(kind)s, %(own_id)s, %(cause)s, %(ours)s, %(theirs)s, %(state)s, %(now)s, %(now)s)
ON CONFLICT (kind, own_id, cause) WHERE state IN ('escalated', 'mending') DO UPDATE
SET ours = excluded.ours, theirs = excluded.theirs, last_seen_at = excluded.last_seen_at, state = excluded.state
RETURNING id, (SELECT state FROM before)
"""
_SWEEP: Final = """
UPDATE platform.provider_differences SET ended_at = %(now)s,
    state = CASE WHEN state = 'mending' THEN 'mended' ELSE 'gone' END
WHERE state IN ('escalated', 'mending') AND cause = ANY(%(causes)s) AND last_seen_at < %(before)s
RETURNING id, kind, cause, state = 'gone'
"""
_REJECT: Final = """
UPDATE platform.provider_calls SET state = 'failed', error = %(code)s, ended_at = %(now)s
WHERE kind = 'meter_event' AND body ->> 'identifier' = %(identifier)s AND state <> 'waiting'
RETURNING tenant_id, own_id, quantity, meter
"""

log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OwnObject:
    """Our side of an object at Stripe."""

    kind: str
    own_id: str
    tenant_id: UUID | None
    provider_id: str
    recorded_at: datetime


def note(
    kind: str,
    own_id: str,
    cause: str,
    *,
    ours: str,
    theirs: str,
    tenant_id: UUID | None = None,
    mending: bool = False,
) -> None:
    """Note a difference, or that it is still there. Operators are alerted once if a person must decide.

    Args:
        kind: what differs: ``usage``, ``payment``, ``customer``, ``subscription``, ``meter`` or ``call``.
        own_id: names our side of it.
        cause: of ``CAUSES``, or a code of Stripe.
        ours: what our ledger says.
        theirs: what Stripe says.
        tenant_id: the tenant concerned.
        mending: whether a call that mends it is on its way; otherwise a person decides.
    """
    state = "mending" if mending else "escalated"
    values = {"id": uuid7(), "tenant": tenant_id, "kind": kind, "own_id": own_id, "cause": cause, "now": now()}
    with platform_session() as session:
        rows = psycopg_connection(session).execute(_NOTE, {**values, "ours": ours, "theirs": theirs, "state": state})
        difference_id, before = rows.fetchall()[0]
    if before is None:
        NOTED.add(kind, state)
        log.warning("our ledger and Stripe differ", kind=kind, cause=cause, state=state)
    if state != before and "escalated" in (state, before):
        alert(difference_id, kind, cause, ended=mending)


def alert(difference_id: UUID, kind: str, cause: str, *, ended: bool) -> None:
    """Inform operators that a person must decide about a difference, or no longer must. After the commit of it."""
    announce(DIFFERENCE, {"id": difference_id, "kind": kind, "cause": cause, "ended": ended})
    changed(BUSINESS)


def sweep(causes: Sequence[str], before: datetime) -> None:
    """End the open differences of these causes that were not seen again since an instant."""
    with platform_session() as session:
        values = {"causes": list(causes), "before": before, "now": now()}
        ended = psycopg_connection(session).execute(_SWEEP, values).fetchall()
    for difference_id, kind, cause, was_escalated in ended:
        if was_escalated:
            alert(difference_id, kind, cause, ended=True)


def own_object(kind: str, provider_id: str) -> OwnObject | None:
    """Return our side of an object at Stripe; None if it is not ours."""
    query = (
        "SELECT kind, own_id, tenant_id, provider_id, recorded_at FROM platform.provider_objects"
        " WHERE kind = %s AND provider_id = %s"
    )
    with platform_session() as session, psycopg_connection(session).cursor(row_factory=class_row(OwnObject)) as cursor:
        return cursor.execute(query, (kind, provider_id)).fetchone()


def own_objects(kind: str) -> list[OwnObject]:
    """Return our sides of all objects of a kind."""
    query = (
        "SELECT kind, own_id, tenant_id, provider_id, recorded_at FROM platform.provider_objects"
        " WHERE kind = %s AND provider_id IS NOT NULL ORDER BY own_id"
    )
    with platform_session() as session, psycopg_connection(session).cursor(row_factory=class_row(OwnObject)) as cursor:
        return cursor.execute(query, (kind,)).fetchall()


def is_ended(subscription: str) -> bool:
    """Return whether we ended a subscription ourselves."""
    query = "SELECT FROM platform.provider_calls WHERE kind = 'subscription_cancel' AND own_id = %s"
    with platform_session() as session:
        return psycopg_connection(session).execute(query, (subscription,)).rowcount > 0


def reject_event(identifier: str, code: str) -> None:
    """Mark a meter event that Stripe rejected after it had accepted it, and note the difference."""
    with platform_session() as session:
        values = {"identifier": identifier, "code": code, "now": now()}
        row = psycopg_connection(session).execute(_REJECT, values).fetchone()
    if row is not None:
        tenant_id, own_id, quantity, meter = row
        note("usage", own_id, code, ours=f"{quantity} of {meter}", theirs="rejected", tenant_id=tenant_id)
