"""What a data database is busy with: the statements that took longest in all, and the transactions that are open now.

The times come from the extension ``pg_stat_statements``, which writes constants as ``$1``: no value of a record is
in a statement. Open transactions show no statement at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg.rows import class_row

from core.database.sessions import owner_connection

MOST: Final = 10
LONGEST_STATEMENT: Final = 240
"""Most characters of a statement that are shown."""

_STATEMENTS: Final = """
SELECT left(regexp_replace(query, '\\s+', ' ', 'g'), %(longest)s) AS statement, sum(calls)::bigint AS calls,
    sum(rows)::bigint AS rows, sum(total_exec_time) / 1000 AS total_seconds,
    sum(total_exec_time) / greatest(sum(calls), 1) AS mean_milliseconds, max(max_exec_time) AS longest_milliseconds
FROM extensions.pg_stat_statements AS s JOIN pg_database AS d ON d.oid = s.dbid
WHERE d.datname = current_database() AND s.toplevel
GROUP BY 1 ORDER BY total_seconds DESC LIMIT %(most)s
"""
_OPEN: Final = """
SELECT pid, coalesce(application_name, '') AS application, state,
    extract(epoch FROM now() - xact_start)::float8 AS seconds,
    CASE WHEN state = 'active' AND wait_event_type IS NOT NULL THEN wait_event_type || ': ' || wait_event ELSE '' END
        AS waits_for,
    pg_blocking_pids(pid) AS blocked_by
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND xact_start IS NOT NULL
    AND pid <> pg_backend_pid()
ORDER BY xact_start LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of all tenants, with constants as ``$1``, since the server's figures began.

    Attributes:
        total_seconds: seconds of all its calls.
        mean_milliseconds, longest_milliseconds: of one call.
    """

    statement: str
    calls: int
    rows: int
    total_seconds: float
    mean_milliseconds: float
    longest_milliseconds: float


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction that is open now.

    Attributes:
        pid: the server's process, for ``pg_terminate_backend``.
        application: the login of ours that opened it.
        state: ``active`` (a statement runs) or ``idle in transaction`` (the program does something else).
        seconds: since it began.
        waits_for: type and name of what a running statement waits for; empty if nothing.
        blocked_by: processes whose locks it waits for.
    """

    pid: int
    application: str
    state: str
    seconds: float
    waits_for: str
    blocked_by: list[int]


def slowest_statements(database: str) -> list[Statement] | None:
    """Return the statements that took longest in all, the longest first; None if the server does not measure them.

    Raises:
        Unavailable: the database cannot be reached, or the owner's login is not configured.
    """
    asked = {"most": MOST, "longest": LONGEST_STATEMENT}
    with owner_connection(database) as connection:
        try:
            with connection.transaction(), connection.cursor(row_factory=class_row(Statement)) as cursor:
                return cursor.execute(_STATEMENTS, asked).fetchall()
        except (
            psycopg.errors.UndefinedTable,
            psycopg.errors.InsufficientPrivilege,
            psycopg.errors.ObjectNotInPrerequisiteState,
        ):
            return None


def open_transactions(database: str) -> list[OpenTransaction]:
    """Return the open transactions, the oldest first, ``MOST`` at most.

    Raises:
        Unavailable: the database cannot be reached, or the owner's login is not configured.
    """
    with (
        owner_connection(database) as connection,
        connection.cursor(row_factory=class_row(OpenTransaction)) as cursor,
    ):
        return cursor.execute(_OPEN, {"most": MOST}).fetchall()
