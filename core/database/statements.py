"""Cursors that send one statement a call, and changes of parameters."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Any, Final, Self

import psycopg
from psycopg import sql
from psycopg.rows import Row

from core import tracing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from psycopg._queries import PostgresQuery
    from psycopg.abc import Params, Query
    from psycopg.copy import Writer

PARAMETERS: Final = frozenset(
    {
        "bytea_output",
        "datestyle",
        "enable_hashjoin",
        "enable_mergejoin",
        "enable_nestloop",
        "enable_seqscan",
        "hnsw.ef_search",
        "hnsw.iterative_scan",
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


_pooled: Final = Event()
"""Set after a pooler has lost a prepared statement."""


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

    def execute(
        self,
        query: Any,  # noqa: ANN401 - of several types, for which psycopg has an overload each
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        """Send a statement, within a span of its own if a request or job is traced."""
        if not tracing.is_on():
            return super().execute(query, params, prepare=prepare, binary=binary)
        with tracing.statement(self._text(query)):
            return super().execute(query, params, prepare=prepare, binary=binary)

    def executemany(self, query: Query, params_seq: Iterable[Params], *, returning: bool = False) -> None:
        """Send a statement with many sets of parameters, within one span."""
        if not tracing.is_on():
            super().executemany(query, params_seq, returning=returning)
            return
        with tracing.statement(self._text(query)):
            super().executemany(query, params_seq, returning=returning)

    @contextmanager
    def copy(
        self, statement: Query, params: Params | None = None, *, writer: Writer | None = None
    ) -> Iterator[psycopg.Copy]:
        """Copy rows, within one span until the end of the block."""
        span = tracing.statement(self._text(statement)) if tracing.is_on() else tracing.NO_SPAN
        with span, super().copy(statement, params, writer=writer) as copy:
            yield copy

    def _text(self, query: Query) -> str:
        if isinstance(query, str):
            return query
        return query.decode() if isinstance(query, bytes) else sql.as_string(query, self)


def execute_prepared(
    connection: psycopg.Connection[Any], query: str, values: Mapping[str, object]
) -> psycopg.Cursor[Any]:
    """Execute a statement whose plan the backend keeps. For frequent statements that reach tables of ``node`` alone.

    Statements on tenants' tables are never prepared: the plan would be one tenant's. Where a pooler between us and the
    server does not know prepared statements, the first one fails, and this process prepares no more.
    """
    if _pooled.is_set():
        return connection.execute(query.encode(), values)
    before, connection.prepare_threshold = connection.prepare_threshold, 0
    try:
        return connection.execute(query.encode(), values, prepare=True)
    except (psycopg.errors.InvalidSqlStatementName, psycopg.errors.DuplicatePreparedStatement):
        _pooled.set()
        raise
    finally:
        connection.prepare_threshold = before


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
