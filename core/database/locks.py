"""Advisory locks of a tenant, which last until the transaction ends.

PostgreSQL's advisory locks are numbers that all share, so any role could take any of them. A tenant's role therefore
takes locks by name alone, by functions of ``node`` that derive the number from the role and the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_LOCK = "SELECT node.lock_own(%s, %s)"
_TRY = "SELECT node.try_lock_own(%s)"


def lock_own(cursor: psycopg.Cursor[Any], name: str, *, shared: bool = False) -> None:
    """Wait for the acting tenant's lock ``name`` and take it; a shared lock can be taken by many."""
    cursor.execute(_LOCK, (name, shared))


def try_lock_own(cursor: psycopg.Cursor[Any], name: str) -> bool:
    """Take the acting tenant's lock ``name`` if it is free; return whether it was."""
    return bool(cursor.execute(_TRY, (name,)).fetchall()[0][0])


def lock_installation(cursor: psycopg.Cursor[Any], number: int) -> None:
    """Wait for the installation's lock of this number and take it until the transaction ends.

    Args:
        cursor: of the application's own login; a tenant's role takes locks by name alone.
        number: the lock's number in the control database.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (number,))


def try_lock_installation(connection: psycopg.Connection[Any], number: int) -> bool:
    """Take the installation's lock of this number until the transaction ends, if it is free; return whether it was.

    Args:
        connection: of the application's own login; a tenant's role takes locks by name alone.
        number: the lock's number in the control database.
    """
    return bool(connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (number,)).fetchall()[0][0])
