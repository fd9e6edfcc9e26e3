"""Cursors that send one statement a call, and changes of parameters."""

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
"""The parameters that ``set_local`` may change. Role and search_path belong to the scope."""


class OneStatementCursor(psycopg.Cursor[Row]):
    """A cursor whose every query is one statement, with or without parameters.

    psycopg sends a query without parameters by the simple protocol, which runs ``SELECT 1; SET ROLE other`` as two
    statements. The extended protocol rejects it.
    """

    def _execute_send(
        self, query: PostgresQuery, *, force_extended: bool = True, binary: bool | None = None
    ) -> None:  # tests/isolation/test_injection.py fails where psycopg no longer calls this
        del force_extended
        super()._execute_send(query, force_extended=True, binary=binary)


@contextmanager
def several_statements(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Let cursors of ``connection`` send several statements in one call during the block. Use constant texts only."""
    before, connection.cursor_factory = connection.cursor_factory, psycopg.Cursor
    try:
        yield
    finally:
        connection.cursor_factory = before


def set_local(cursor: psycopg.Cursor[Any], **values: str) -> None:
    """Change parameters until the transaction ends, in one round trip.

    A tenant's role may not call ``set_config``, because an expression could use it to change the role itself.

    Raises:
        ValueError: a name is not in ``PARAMETERS``.
    """
    if unknown := sorted(set(values) - PARAMETERS):
        message = f"{', '.join(unknown)} cannot be set for a transaction: known are {', '.join(sorted(PARAMETERS))}"
        raise ValueError(message)
    settings = [
        sql.SQL("SET LOCAL {} TO {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in values.items()
    ]
    if len(settings) == 1:
        cursor.execute(settings[0])
        return
    with cursor.connection.pipeline():
        for statement in settings:
            cursor.execute(statement)
