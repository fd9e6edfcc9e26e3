"""Reading and rolling up of the ledger of uses, which all tests of a run share."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text

from core import metering
from core.database import DEFAULT_DATABASE, node_session, owner_session
from core.metering import rollup
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlmodel import Session

    from core.metering.reading import Usage, UsageCursor
    from core.metering.rollup import Batch


def wait_for_older_transactions(database: str = DEFAULT_DATABASE) -> None:
    """Wait until all transactions that run now have ended: other tests on this server hold back the ledger's end."""

    def bound(name: str) -> int:
        with node_session(database) as session:
            return int(session.execute(text(f"SELECT {name}(pg_current_snapshot())::text::bigint")).scalar_one())

    newest = bound("pg_snapshot_xmax")
    wait_until(lambda: bound("pg_snapshot_xmin") >= newest)


def roll_up(database: str = DEFAULT_DATABASE, limit: int = rollup.LIMIT) -> list[Batch]:
    """Roll up all uses that were committed before the call; return the batches."""
    wait_for_older_transactions(database)
    batches = []
    while batch := rollup.roll_up(database, limit=limit):
        batches.append(batch)
    return batches


@contextmanager
def unguarded() -> Iterator[Session]:
    """A transaction of the owner that may change recorded uses, as a restored database does."""
    with owner_session() as session:
        session.execute(text("ALTER TABLE node.usage_events DISABLE TRIGGER guard"))
        yield session
        session.execute(text("ALTER TABLE node.usage_events ENABLE TRIGGER guard"))


def uses_after(cursor: UsageCursor = metering.BEGINNING, database: str = DEFAULT_DATABASE) -> list[Usage]:
    """Return all uses after a cursor that can be read now, of all tenants."""
    uses: list[Usage] = []
    while page := metering.read_usage(cursor, database=database):
        uses += page
        cursor = page[-1].cursor
    return uses


def end_of_ledger(database: str = DEFAULT_DATABASE) -> UsageCursor:
    """Return the cursor of the last use that can be read now."""
    uses = uses_after(database=database)
    return uses[-1].cursor if uses else metering.BEGINNING
