"""Recording use in the transaction of the effect, and reading the totals."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from core.clock import now

if TYPE_CHECKING:
    from core.database import TenantSession

METERS = {
    "patients_scored": "patients given a score",
    "imports": "imports completed",
    "import_rows": "rows read by imports",
    "storage_bytes": "bytes of tables, indexes and stored files, measured once a day",
}
GAUGES = frozenset({"storage_bytes"})
"""Meters whose values are measurements: the latest counts, not their sum."""


def record(session: TenantSession, meter: str, value: int | Decimal, *, key: str) -> bool:
    """Count ``value`` of a meter for the session's tenant, once per ``key``.

    Args:
        session: the transaction of the effect.
        meter: one of ``METERS``.
        value: how much, not negative.
        key: what was done, such as the id of the import; the same key again counts nothing.

    Returns:
        Whether it was counted (False: this key already was).

    Raises:
        LookupError: there is no such meter.
        ValueError: the value is negative or no number, or the key is empty.
    """
    if meter not in METERS:
        message = f"there is no meter {meter!r}: known are {', '.join(sorted(METERS))}"
        raise LookupError(message)
    amount = Decimal(value)
    if not amount.is_finite() or amount < 0 or not key:
        message = "a use needs a value of 0 or more and a key that says what it was"
        raise ValueError(message)
    with session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO node.usage_events (id, tenant_id, tenant_role, meter, value, key, recorded_at)"
            " VALUES (%s, %s, current_user, %s, %s, %s, %s) ON CONFLICT (tenant_role, meter, key) DO NOTHING",
            (uuid7(), session.tenant.id, meter, amount, key, now()),
        )
        return cursor.rowcount == 1


def recorded(session: TenantSession, meter: str, key: str) -> bool:
    """Whether something was counted under this key for the session's tenant."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT FROM node.usage_events WHERE tenant_role = current_user AND meter = %s AND key = %s", (meter, key)
        )
        return cursor.rowcount == 1


def totals(session: TenantSession) -> dict[str, Decimal]:
    """Meter -> total of the session's tenant, of a gauge the latest value; a meter that was never used is 0."""
    found = dict.fromkeys(METERS, Decimal(0))
    gauges = sorted(GAUGES)
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT meter, sum(value) FROM node.usage_events WHERE meter <> ALL(%s) GROUP BY meter", (gauges,)
        )
        found.update(cursor.fetchall())
        cursor.execute(
            "SELECT DISTINCT ON (meter) meter, value FROM node.usage_events WHERE tenant_id = %s AND meter = ANY(%s)"
            " ORDER BY meter, recorded_at DESC",
            (session.tenant.id, gauges),
        )
        found.update(cursor.fetchall())
    return found
