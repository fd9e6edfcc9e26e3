"""One statement a call: how the application's connections send what they are given, and change parameters."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg._queries import PostgresQuery

PARAMETERS: Final = frozenset(
    {
        "bytea_output",
        "datestyle",
        "enable_hashjoin",
        "enable_mergejoin",
        "enable_nestloop",
        "enable_seqscan",
        "enable_sort",
        "extra_float_digits",
        "intervalstyle",
        "lock_timeout",
        "statement_timeout",
        "synchronous_commit",
        "timezone",
        "work_mem",
    }
)
"""What ``set_local`` changes. Role and search_path are the scope's alone."""


class OneStatementCursor(psycopg.Cursor[Row]):
    """A cursor whose every query is one statement, with parameters or without.

    psycopg sends a query without parameters by the simple protocol, which runs ``SELECT 1; SET ROLE other`` as two
    statements. The extended protocol refuses it.
    """

    def _execute_send(
        self, query: PostgresQuery, *, force_extended: bool = True, binary: bool | None = None
    ) -> None:  # tests/isolation/test_injection.py fails where psycopg no longer calls this
        del force_extended
        super()._execute_send(query, force_extended=True, binary=binary)


@contextmanager
def several_statements(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """While the block lasts, cursors of ``connection`` send several statements at once: for constant texts only."""
    before, connection.cursor_factory = connection.cursor_factory, psycopg.Cursor
    try:
        yield
    finally:
        connection.cursor_factory = before


def set_local(cursor: psycopg.Cursor[Any], **values: str) -> None:
    """Change parameters until the transaction ends, in one round trip.

    A tenant's role may not call ``set_config``, with which an expression could change the role itself.

    Raises:
        ValueError: a name is none of ``PARAMETERS``.
    """
    if unknown := sorted(set(values) - PARAMETERS):
        message = f"{', '.join(unknown)} cannot be set for a transaction: known are {', '.join(sorted(PARAMETERS))}"
        raise ValueError(message)
    made = [
        sql.SQL("SET LOCAL {} TO {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in values.items()
    ]
    if len(made) == 1:
        cursor.execute(made[0])
        return
    with cursor.connection.pipeline():
        for statement in made:
            cursor.execute(statement)
