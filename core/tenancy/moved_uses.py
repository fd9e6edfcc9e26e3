"""Decides which ledger counts each use of a tenant that moves, so that a use is counted once.

A move copies the uses to the ledger of the new database, and may be killed before it deletes the old ones. So before it
copies any, it records for each use whether a roll-up has counted it, and else that the new ledger counts it. The lock
of the roll-ups makes the decision final.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from psycopg import sql

from core.database import lock_installation, owner_connection

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg

LOCK: Final = 0x11_7E_10_14
"""The lock of whoever rolls usage up, or decides which ledger counts a moved use."""

_LEAVING: Final = (
    "COPY (SELECT id, transaction_id, recorded_at FROM node.usage_events WHERE tenant_role = {}) TO STDOUT"
)
_TEMPORARY: Final = (
    "CREATE TEMP TABLE leaving_uses (id uuid, transaction_id bigint, recorded_at timestamptz) ON COMMIT DROP"
)
_CARRIED: Final = """
INSERT INTO platform.usage_ledgers AS ledgers (database, carries) SELECT unnest(%s::text[]), 1
ON CONFLICT (database) DO UPDATE SET carries = ledgers.carries + 1
"""
_DECIDE: Final = """
INSERT INTO platform.moved_uses AS moved (use_id, tenant_id, counts_in, recorded_at)
SELECT leaving.id, %(tenant)s,
    CASE WHEN (leaving.transaction_id, leaving.id) > (ledger.transaction_id, ledger.last_id) THEN %(to)s END,
    leaving.recorded_at
FROM pg_temp.leaving_uses AS leaving, platform.usage_ledgers AS ledger WHERE ledger.database = %(from)s
ON CONFLICT (use_id) DO UPDATE SET counts_in = excluded.counts_in WHERE moved.counts_in = %(from)s
"""


def allow(connection: psycopg.Connection[Any], role: str) -> None:
    """Let the transaction move the uses of a role. Otherwise the guard of the ledger rejects every change."""
    connection.execute("SELECT set_config('iit.moves_uses_of', %s, true)", (role,))


def decide(old: psycopg.Connection[Any], role: str, tenant_id: UUID, database: str, to: str) -> None:
    """Record which ledger counts each use that is about to move. A repetition after a kill changes nothing.

    Args:
        old: the owner's connection to the database that the uses leave.
        role: the tenant's role there, which can write no more.
        tenant_id: the tenant's.
        database: the database that the uses leave.
        to: the database to which they go.
    """
    with owner_connection() as platform:
        platform.execute(_TEMPORARY)
        with old.cursor() as reading, platform.cursor() as writing:
            with (
                reading.copy(sql.SQL(_LEAVING).format(sql.Literal(role))) as rows,
                writing.copy("COPY pg_temp.leaving_uses FROM STDIN") as sink,
            ):
                for piece in rows:
                    sink.write(piece)
            lock_installation(writing, LOCK)
            writing.execute(_CARRIED, ([database, to],))
            writing.execute(_DECIDE, {"tenant": tenant_id, "from": database, "to": to})
