"""Finds that a data database was restored to an earlier time, and sets the position in its ledger anew.

After a restore, the server gives out again transaction ids that lie before the position of the roll-up. The roll-up
would pass over the uses that have them. So it stops, until an operator runs ``iit usage resume``.

Each use counts one time. The old position is behind every use of the time before the restore, so all of them are
counted. They were recorded before the last batch was sealed; uses of the time after the restore were recorded later.
The new position is the last use of the time before. A use that moved here with its tenant may have an old time and a
new transaction id: ``platform.moved_uses`` says by its id whether it is counted, wherever it lies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from core.audit.platform import record_act
from core.clock import now
from core.database import lock_installation, node_session, platform_session, psycopg_connection
from core.errors import Conflict, NotFound, phrase
from core.metering.reading import BEGINNING, MARGIN, UsageCursor
from core.tenancy.moved_uses import LOCK

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

_PAGE: Final = 1_000
_TOP: Final = 2**128 - 1
_END: Final = UsageCursor(2**63 - 1, UUID(int=_TOP))
_LEDGER: Final = "SELECT transaction_id, last_id, restored_at FROM platform.usage_ledgers WHERE database = %s"
_OLDEST: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_LAST_USE: Final = """
SELECT id, recorded_at FROM node.usage_events WHERE (transaction_id, id) <= (%s, %s)
ORDER BY transaction_id DESC, id DESC LIMIT 1
"""
_LAST_BATCH: Final = """
SELECT number, sealed_at FROM platform.usage_batches WHERE database = %s ORDER BY number DESC LIMIT 1
"""
_OLDER: Final = """
SELECT transaction_id, id FROM node.usage_events WHERE (transaction_id, id) < (%s, %s) AND recorded_at <= %s
ORDER BY transaction_id DESC, id DESC LIMIT %s
"""
_MOVED: Final = "SELECT use_id FROM platform.moved_uses WHERE use_id = ANY(%s)"
_MARK: Final = "UPDATE platform.usage_ledgers SET restored_at = %s WHERE database = %s AND restored_at IS NULL"
_RESUME: Final = """
UPDATE platform.usage_ledgers SET transaction_id = %s, last_id = %s, restored_at = NULL, failed_at = NULL, error = NULL
WHERE database = %s
"""


class LedgerRollback(Conflict):
    """The ledger of a data database went back to an earlier time."""

    slug = "ledger-rollback"
    title = "A data database was restored to an earlier time"
    hint = "An operator sets the position in its ledger anew. Nothing is counted twice."


def check_ledger(database: str) -> None:
    """Mark the ledger of a database that was restored to an earlier time.

    Raises:
        LedgerRollback: it was restored, and no operator has resumed its roll-up.
        Unavailable: the database, or the control database, cannot be reached.
    """
    with platform_session() as session:
        row = psycopg_connection(session).execute(_LEDGER, (database,)).fetchone()
    if row is None or row[0] == BEGINNING.transaction_id:
        return
    position, restored_at = UsageCursor(row[0], row[1]), row[2]
    if restored_at is None and not _went_back(database, position):
        return
    with platform_session() as session:
        psycopg_connection(session).execute(_MARK, (now(), database))
    raise LedgerRollback(
        phrase("the database {name} was restored to an earlier time, so its uses are not rolled up", name=database),
        command=f"run `iit usage resume {database}`",
    )


def resume(database: str, *, actor: str) -> UsageCursor:
    """Set the position in the ledger of a restored database to its last use that is counted, and return it.

    Args:
        database: the database that was restored.
        actor: who resumes, for the audit.

    Raises:
        NotFound: no ledger of such a database was ever rolled up.
        Conflict: the database was not restored; or its rows were copied to another server, whose transaction ids are
            behind theirs.
        Unavailable: the database, or the control database, cannot be reached.
    """
    with platform_session() as session:
        if psycopg_connection(session).execute(_LEDGER, (database,)).fetchone() is None:
            raise NotFound(phrase("no ledger of a database {name} was rolled up", name=repr(database)))
    try:
        check_ledger(database)
    except LedgerRollback:
        return _resume(database, actor)
    raise Conflict(
        phrase("the database {name} was not restored to an earlier time", name=database),
        remedy="Its roll-up goes on by itself: there is nothing to do.",
    )


def _resume(database: str, actor: str) -> UsageCursor:
    with platform_session() as session:
        number, sealed_at = _last_batch(psycopg_connection(session), database)
    counted = _last_counted(database, sealed_at)
    with node_session(database) as node:
        oldest = psycopg_connection(node).execute(_OLDEST).fetchall()[0][0]
    if oldest <= counted.transaction_id:
        raise Conflict(
            phrase("the uses in {name} have transaction ids that its server has not reached", name=database),
            remedy="Restore the database from a base backup: a copy by pg_dump leaves the ids behind.",
        )
    # After every use of that transaction, and unlike the begin of any earlier batch, which is unique.
    position = UsageCursor(counted.transaction_id, UUID(int=_TOP - number))
    with platform_session() as session:
        connection = psycopg_connection(session)
        with connection.cursor() as cursor:
            lock_installation(cursor, LOCK)
        row = connection.execute(_LEDGER, (database,)).fetchone()
        if row is None or row[2] is None:
            raise Conflict(phrase("the roll-up of {name} was resumed meanwhile", name=database))
        connection.execute(_RESUME, (position.transaction_id, position.id, database))
        detail = {"database": database, "from": str(row[0]), "to": str(position.transaction_id)}
        record_act(session, "cli:usage:resume", actor=actor, tenant_id=None, detail=detail)
    return position


def _went_back(database: str, position: UsageCursor) -> bool:
    """Return whether the server's ids are before the position, or passed it after the last batch was sealed."""
    with node_session(database) as session:
        node = psycopg_connection(session)
        if node.execute(_OLDEST).fetchall()[0][0] <= position.transaction_id:
            return True
        last = node.execute(_LAST_USE, (position.transaction_id, position.id)).fetchone()
    if last is None or last[0] == position.id:
        return False
    with platform_session() as session:
        _, sealed_at = _last_batch(psycopg_connection(session), database)
    return bool(last[1] > sealed_at + MARGIN)


def _last_batch(connection: Connection[Any], database: str) -> tuple[int, datetime]:
    number, sealed_at = connection.execute(_LAST_BATCH, (database,)).fetchall()[0]
    return number, sealed_at


def _last_counted(database: str, sealed_at: datetime) -> UsageCursor:
    """Return the last use that was recorded before the last batch was sealed, and did not move here."""
    before = _END
    while True:
        with node_session(database) as session:
            values = (before.transaction_id, before.id, sealed_at + MARGIN, _PAGE)
            uses = psycopg_connection(session).execute(_OLDER, values).fetchall()
        if not uses:
            return BEGINNING
        with platform_session() as session:
            moved = {row[0] for row in psycopg_connection(session).execute(_MOVED, ([use[1] for use in uses],))}
        for transaction_id, use_id in uses:
            if use_id not in moved:
                return UsageCursor(transaction_id, use_id)
        before = UsageCursor(*uses[-1])
