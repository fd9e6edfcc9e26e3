"""Errors of the driver: what they say about the connection, and as errors of ours."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy.exc import DBAPIError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.database.absent import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

LOST_EARLIER = "8s2b"
"""SQLAlchemy's code of a use of a connection that was lost before, by a session that shares it."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn the driver's errors about connections into ``DatabaseUnavailable``.

    Raises:
        DatabaseUnavailable: the database cannot be reached, or every connection is in use.
    """
    try:
        yield
    except PoolTimeoutError as error:
        detail = "every connection to the database is in use"
        command = "try again; raise IIT_DATABASE_POOL_SIZE if this happens often"
        raise DatabaseUnavailable(detail, command=command, retry_after=5) from error
    except (OperationalError, psycopg.OperationalError) as error:
        detail = "the database cannot be reached"
        command = "check that it runs (iit services status) and try again"
        raise DatabaseUnavailable(detail, command=command, retry_after=5) from error


def sqlstate_of(error: BaseException) -> str | None:
    """Return the SQLSTATE of an error of PostgreSQL; None for others."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None


def is_lost(error: BaseException) -> bool:
    """Return whether the connection itself is lost, and not just a statement failed."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and is_lost(error.orig))
    if isinstance(error, PendingRollbackError):
        return error.code == LOST_EARLIER
    if not isinstance(error, psycopg.OperationalError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))
