"""Reads the ledger of one data database from a cursor on, without skipping a use.

A row gets its id and time before its commit. A transaction that commits late would leave rows behind the cursor. So the
ledger is read in the order of transactions, and only up to the oldest one that still runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from core.database import node_session, psycopg_connection

_READ: Final = """
SELECT id, tenant_id, meter, value, key, coalesce(occurred_at, recorded_at) AS occurred_at, dimensions, transaction_id
FROM node.usage_events
WHERE (transaction_id, id) > (%s, %s) AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
ORDER BY transaction_id, id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class UsageCursor:
    """A position in the ledger of one data database, and valid in that database alone."""

    transaction_id: int
    id: UUID


BEGINNING: Final = UsageCursor(0, UUID(int=0))
MARGIN: Final = timedelta(seconds=10)
"""The longest time between a use and its arrival in the database, and between the clocks of two servers."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One use. Moving or restoring a tenant preserves the ``id`` of its uses: count each id one time."""

    id: UUID
    tenant_id: UUID
    meter: str
    value: Decimal
    key: str
    occurred_at: datetime
    dimensions: dict[str, str]
    transaction_id: int

    @property
    def cursor(self) -> UsageCursor:
        """Return the cursor from which to read the next use."""
        return UsageCursor(self.transaction_id, self.id)


def read_usage(after: UsageCursor = BEGINNING, *, database: str, limit: int = 10_000) -> list[Usage]:
    """Return the next uses of all tenants of a data database.

    Uses are returned up to the oldest transaction that still runs. Uses of later transactions follow when it has ended.

    Args:
        after: the cursor of the last use that was read.
        database: the database of the ledger.
        limit: most uses to return.

    Raises:
        Unavailable: the database cannot be reached.
    """
    with (
        node_session(database) as session,
        psycopg_connection(session).cursor(row_factory=class_row(Usage)) as cursor,
    ):
        return cursor.execute(_READ, (after.transaction_id, after.id, limit)).fetchall()
