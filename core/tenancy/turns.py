"""One at a time: who moves, restores, deletes or destroys a tenant does it alone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from core.database import owner_connection
from core.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_SECONDS = 3.0
"""Longer than the server takes to notice that the process which held the turn was killed."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('tenant:turn:' || %s, 0))"


@contextmanager
def turn(slug: str) -> Iterator[None]:
    """Let nobody else change where the tenant of this slug is, or whether it is; the turn ends with this process.

    Not within another turn of the same slug: it would wait for itself.

    Raises:
        Conflict: somebody else is at it.
    """
    with owner_connection() as connection:
        connection.execute(
            sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{round(PATIENCE_SECONDS * 1000)}ms"))
        )
        try:
            connection.execute(_LOCK, (slug,))
        except psycopg.errors.LockNotAvailable:
            detail = f"the tenant {slug!r} is being moved, restored or deleted by somebody else right now"
            raise Conflict(detail, command="wait until that is done, then look at `iit tenant show`") from None
        yield
