"""Counter-entries: a use that was counted by mistake is taken off again, and both stay in the ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from uuid_utils.compat import uuid7

from core.clock import now
from core.errors import Conflict, Invalid, NotFound, phrase
from core.metering.service import LONGEST_VALUE, meters

if TYPE_CHECKING:
    from core.database import TenantSession

_PREFIX: Final = "correction:"
_ADD: Final = """
INSERT INTO node.usage_events
    (id, tenant_id, tenant_role, meter, value, key, recorded_at, occurred_at, dimensions, corrects, reason)
SELECT %(id)s, tenant_id, tenant_role, meter, -value, %(key)s, %(now)s, coalesce(occurred_at, recorded_at), dimensions,
    id, %(reason)s
FROM node.usage_events WHERE id = %(corrects)s AND tenant_role = current_user
ON CONFLICT (tenant_role, meter, key) DO NOTHING
"""


def correct(session: TenantSession, meter: str, *, key: str, reason: str) -> Decimal:
    """Take a use off again by a counter-entry of the same time and dimensions; return the value that it takes off.

    An invoice that contains the use is not changed: the next one contains the difference.

    Args:
        session: of the tenant.
        meter: the name of the meter.
        key: the key of the use.
        reason: why, for whoever reads the ledger. Never a person's data.

    Raises:
        NotFound: no such meter, or no use with this key.
        Invalid: there is no reason, or it is too long.
        Conflict: the use was corrected before, is a counter-entry, or is a measurement, which cannot be taken off.
    """
    known = meters().get(meter)
    if known is None:
        raise NotFound(phrase("there is no meter {meter}", meter=meter), remedy=", ".join(sorted(meters())))
    if known.gauge:
        detail = phrase("the meter {meter} measures: only its latest value counts", meter=meter)
        raise Conflict(detail, remedy=phrase("Wait for the next measurement."))
    if not reason.strip() or len(reason) > LONGEST_VALUE:
        detail = phrase("a correction needs a reason of up to {most} characters", most=LONGEST_VALUE)
        raise Invalid(detail)
    with session.cursor() as cursor:
        row = cursor.execute(
            "SELECT id, value, corrects FROM node.usage_events"
            " WHERE tenant_role = current_user AND meter = %s AND key = %s",
            (meter, key),
        ).fetchone()
        if row is None:
            detail = phrase("the meter {meter} has counted no use with the key {key}", meter=meter, key=repr(key))
            raise NotFound(detail)
        if row[2] is not None:
            detail = phrase("{key} is a counter-entry", key=repr(key))
            raise Conflict(detail, remedy=phrase("Record the use again with a key of its own."))
        values = {
            "id": uuid7(),
            "key": f"{_PREFIX}{key}",
            "now": now(),
            "reason": reason.strip(),
            "corrects": row[0],
        }
        if cursor.execute(_ADD, values).rowcount != 1:
            raise Conflict(phrase("the use {key} was corrected before", key=repr(key)))
    return Decimal(row[1])
