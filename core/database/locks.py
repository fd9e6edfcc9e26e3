"""Advisory locks that are a tenant's own. They last until the transaction ends.

PostgreSQL's advisory locks are numbers that all share, and whoever knows a number can take it. So a tenant's role takes
locks by name alone, with functions of ``node`` that make the number of the role and the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_LOCK = "SELECT node.lock_own(%s, %s)"
_TRY = "SELECT node.try_lock_own(%s)"


def lock_own(cursor: psycopg.Cursor[Any], name: str, *, shared: bool = False) -> None:
    """Wait for the acting tenant's lock ``name``, and hold it; others hold it too where all share it."""
    cursor.execute(_LOCK, (name, shared))


def try_lock_own(cursor: psycopg.Cursor[Any], name: str) -> bool:
    """Take the acting tenant's lock ``name`` if nobody holds it; whether that was done."""
    return bool(cursor.execute(_TRY, (name,)).fetchall()[0][0])
