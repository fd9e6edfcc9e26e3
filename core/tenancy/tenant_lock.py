"""The lock of a tenant: only one process at a time moves, restores, deletes or destroys it."""

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
"""Seconds to wait for the lock: longer than the server takes to notice that the process with the lock was killed."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('tenant:turn:' || %s, 0))"


@contextmanager
def tenant_lock(slug: str) -> Iterator[None]:
    """Lock the tenant with this slug against moves, restores and deletion by other processes.

    The lock ends with the block or the process. Do not nest it for one slug: the inner lock would wait for the outer
    one.

    Raises:
        Conflict: another process holds the lock.
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
