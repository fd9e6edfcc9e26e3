"""Records use in the transaction of the effect, and reads the totals."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from core import telemetry
from core.clock import now
from core.database import after_commit
from core.errors import Conflict, phrase
from core.feature_registry import declared
from core.metrics import Counter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from psycopg import Cursor

    from core.database import TenantSession
    from core.feature_registry import Meter

USED = Counter("iit_usage_total", "Use that was counted, by meter and tenant.", ("kind", "tenant"))

CONFLICTS = Counter("iit_usage_conflicts_total", "Uses whose key was counted with other values before.", ("kind",))

LONGEST_VALUE = 200
"""Most characters of a dimension's value: the id or the name of a thing."""


_STORED: Final = (
    "SELECT value, dimensions, occurred_at FROM node.usage_events"
    " WHERE tenant_role = current_user AND meter = %s AND key = %s"
)

log = telemetry.get_logger(__name__)


class UsageConflict(Conflict):
    """A use has the key of another one."""

    slug = "usage-conflict"
    title = "This use was counted with other values"
    hint = "Give each use a key of its own. To take one off again, an operator records a counter-entry."


@cache
def meters() -> dict[str, Meter]:
    """Return the meters of all installed features by name.

    Raises:
        RuntimeError: two features declare one meter.
    """
    return declared("meter", lambda feature: ((meter.name, meter) for meter in feature.meters))


def record(
    session: TenantSession,
    meter: str,
    value: int | Decimal,
    *,
    key: str,
    occurred_at: datetime | None = None,
    dimensions: Mapping[str, str] | None = None,
    first_counts: bool = False,
) -> bool:
    """Count ``value`` of a meter for the session's tenant, one time for each ``key``.

    Args:
        session: the transaction of the effect.
        meter: the name of a meter that a feature declares.
        value: the quantity in the meter's unit, not negative.
        key: name of the use, such as the id of the import; a repetition with the same key counts nothing.
        occurred_at: time of the use; now when None.
        dimensions: the dimensions of the use, never a person's data; the meter declares their names.
        first_counts: the work may be done again with another value, and then the first one counts.

    Returns:
        True if the use was counted, False if its key was counted before.

    Raises:
        UsageConflict: the key was counted with another value, other dimensions or another time.
        LookupError: no feature declares the meter, or the meter does not declare a dimension.
        ValueError: the value is negative or no number, the key is empty, a dimension's value is too long, or
            ``occurred_at`` has no time zone.
    """
    known = meters().get(meter)
    if known is None:
        message = f"no feature declares the meter {meter!r}: declared are {', '.join(sorted(meters()))}"
        raise LookupError(message)
    divided = dict(dimensions or {})
    if undeclared := sorted(set(divided) - set(known.dimensions)):
        message = f"the meter {meter!r} declares no dimension {', '.join(undeclared)}"
        raise LookupError(message)
    if any(len(part) > LONGEST_VALUE for part in divided.values()):
        message = f"the dimensions of {meter!r} take texts of up to {LONGEST_VALUE} characters"
        raise ValueError(message)
    amount = Decimal(value)
    if not amount.is_finite() or amount < 0 or not key:
        message = "a use needs a value of 0 or more and a key that names the use"
        raise ValueError(message)
    if occurred_at is not None and occurred_at.tzinfo is None:
        message = "occurred_at needs a time zone"
        raise ValueError(message)
    present = now()
    with session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO node.usage_events"
            " (id, tenant_id, tenant_role, meter, value, key, recorded_at, occurred_at, dimensions)"
            " VALUES (%s, %s, current_user, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (tenant_role, meter, key) DO NOTHING",
            (
                uuid7(),
                session.tenant.id,
                meter,
                amount,
                key,
                present,
                present if occurred_at is None else occurred_at,
                Jsonb(divided),
            ),
        )
        counted = cursor.rowcount == 1
        if not counted and not first_counts:
            _reject_difference(cursor, meter, key, (amount, divided, occurred_at))
    if counted and not known.gauge:
        slug = session.tenant.slug
        after_commit(session, lambda: USED.add(meter, slug, amount=float(amount)))
    return counted


def _reject_difference(
    cursor: Cursor[Any], meter: str, key: str, use: tuple[Decimal, dict[str, str], datetime | None]
) -> None:
    """Raise if the use with this key differs from the new one."""
    stored = cursor.execute(_STORED, (meter, key)).fetchone()
    if stored is None or use == (stored[0], stored[1], use[2] and stored[2]):
        return
    CONFLICTS.add(meter)
    log.error("a use was recorded twice with different values", meter=meter)
    detail = phrase("the meter {meter} has counted the key {key} with other values", meter=meter, key=repr(key))
    raise UsageConflict(detail)


def recorded(session: TenantSession, meter: str, key: str) -> bool:
    """Return whether a use with this key was counted for the session's tenant."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT FROM node.usage_events WHERE tenant_role = current_user AND meter = %s AND key = %s", (meter, key)
        )
        return cursor.rowcount == 1


def totals(session: TenantSession) -> dict[str, Decimal]:
    """Return the total of each meter for the session's tenant: 0 if unused; for a gauge, the latest value."""
    used = dict.fromkeys(meters(), Decimal(0))
    gauges = sorted(name for name, meter in meters().items() if meter.gauge)
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT meter, sum(value) FROM node.usage_events WHERE meter <> ALL(%s) GROUP BY meter", (gauges,)
        )
        used.update(cursor.fetchall())
        cursor.execute(
            "SELECT DISTINCT ON (meter) meter, value FROM node.usage_events WHERE tenant_id = %s AND meter = ANY(%s)"
            " ORDER BY meter, recorded_at DESC",
            (session.tenant.id, gauges),
        )
        used.update(cursor.fetchall())
    return used
