"""Snapshots of a whole database: the owner's transactions that see the same rows from beginning to end."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from core.database.absent import DatabaseUnavailable
from core.database.engines import DEFAULT_DATABASE, owner_engine
from core.database.sessions import reachable

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def owner_snapshot(database: str = DEFAULT_DATABASE) -> Iterator[psycopg.Connection[Any]]:
    """The owner's connection in one repeatable-read transaction, committed at a clean exit: copying and backups only.

    Raises:
        Unavailable: the owner's login is not configured, or the database cannot be reached.
    """
    with reachable(owner_engine(database)) as connection:
        connection = connection.execution_options(isolation_level="REPEATABLE READ")  # noqa: PLW2901 - the same one
        with connection.begin():
            driver = connection.connection.driver_connection
            if not isinstance(driver, psycopg.Connection):
                message = "the connection is not psycopg's"
                raise TypeError(message)
            yield driver


@contextmanager
def url_snapshot(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection in one repeatable-read transaction to a recovered copy of a server.

    Raises:
        DatabaseUnavailable: it cannot be reached.
    """
    try:
        connection = psycopg.connect(url, connect_timeout=10, prepare_threshold=None)
    except psycopg.OperationalError as error:
        detail = "the restored copy of the database cannot be reached"
        raise DatabaseUnavailable(detail) from error
    with connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection
