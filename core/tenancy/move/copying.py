"""Copying of one schema to another: all of it first, then round by round the changes since.

Each round reads one snapshot of the source. It commits to the target before it forgets the changes that it copied. So
after each round the target equals the source at one moment, and a killed round is simply repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from core.database import owner_connection
from core.database.snapshots import owner_snapshot
from core.errors import Conflict
from core.tenancy import shape
from core.tenancy.shape import CHANGES

if TYPE_CHECKING:
    import psycopg

    from core.telemetry.progress import LineCallback
    from core.tenancy.shape import Table

KEYS = "move_keys"


@dataclass(frozen=True, slots=True)
class Place:
    """A schema in a data database."""

    database: str
    schema: str


@dataclass(frozen=True, slots=True)
class Round:
    """The result of one round.

    Attributes:
        keys: rows that had changed since the round before.
        rows: rows of the whole tenant, where they were counted.
    """

    keys: int
    rows: int = 0


def copy_all(source: Place, target: Place, progress: LineCallback = lambda _table: None) -> int:
    """Empty the target and copy the source into it; return the number of rows.

    Raises:
        Conflict: the two schemas differ in tables or columns.
    """
    with owner_snapshot(source.database) as old, owner_connection(target.database) as new:
        tables = _same_tables(old, source, new, target)
        shape.plain_text(old)
        shape.plain_text(new)
        _defer_references(new, target.schema, deferred=True)
        names = sql.SQL(", ").join(sql.Identifier(target.schema, name) for name in tables)
        new.execute(sql.SQL("TRUNCATE {}").format(names))
        rows = 0
        for name, table in tables.items():
            progress(name)
            query = sql.SQL("SELECT {} FROM {}").format(table.listed(), sql.Identifier(source.schema, name))
            rows += _stream(old, query, new, target.schema, table)
        shape.set_sequences(new, target.schema, tables, shape.sequences(old, source.schema, tables))
        old.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(source.schema, CHANGES)))
        new.commit()
    return rows


def follow(source: Place, target: Place, *, check: str) -> Round:
    """Copy one round of changes.

    Args:
        source: the tenant's present place.
        target: its new place.
        check: ``all`` compares count and checksum of every table; ``changed`` compares all counts, and the checksums of
            the changed rows; ``none`` compares nothing.

    Raises:
        Conflict: the two differ after the round, or differ in tables or columns.
    """
    with owner_snapshot(source.database) as old, owner_connection(target.database) as new:
        tables = _same_tables(old, source, new, target)
        shape.plain_text(old)
        shape.plain_text(new)
        _defer_references(new, target.schema, deferred=True)
        changes = sql.Identifier(source.schema, CHANGES)
        new.execute(
            sql.SQL("CREATE TEMP TABLE {} (table_name text, key text[]) ON COMMIT DROP").format(sql.Identifier(KEYS))
        )
        wanted = sql.SQL("SELECT DISTINCT table_name, key FROM {}").format(changes)
        keys = _pour(old, wanted, new, sql.SQL("pg_temp.{}").format(sql.Identifier(KEYS)))
        changed = [
            row[0]
            for row in new.execute(sql.SQL("SELECT DISTINCT table_name FROM pg_temp.{}").format(sql.Identifier(KEYS)))
        ]
        for name in changed:
            _take_over(old, source, new, target, tables[name])
        shape.set_sequences(new, target.schema, tables, shape.sequences(old, source.schema, tables))
        rows = _compare(old, source, new, target, changed, check)
        old.execute(sql.SQL("DELETE FROM {}").format(changes))
        new.commit()
    return Round(keys, rows)


def settle_references(target: Place) -> None:
    """Make references within the copy be checked immediately again, as in every tenant's schema."""
    with owner_connection(target.database) as new:
        _defer_references(new, target.schema, deferred=False)


def _same_tables(
    old: psycopg.Connection[Any], source: Place, new: psycopg.Connection[Any], target: Place
) -> dict[str, Table]:
    """Return the tables of the source's schema, which are the same as the target's.

    Raises:
        Conflict: tables, columns or revisions differ.
    """
    tables, there = shape.tables(old, source.schema), shape.tables(new, target.schema)
    same = shape.revision(old, source.schema) == shape.revision(new, target.schema) and {
        name: (set(table.columns), table.key) for name, table in tables.items()
    } == {name: (set(table.columns), table.key) for name, table in there.items()}
    if not same:
        detail = "the tenant's schema is not at the newest migration"
        raise Conflict(detail, command="run `iit migrate`, cancel the move with --abort, then move again")
    return tables


def _take_over(
    old: psycopg.Connection[Any], source: Place, new: psycopg.Connection[Any], target: Place, table: Table
) -> None:
    """Copy the changed rows of one table, including deletions."""
    new.execute(
        sql.SQL("DELETE FROM {} AS t USING pg_temp.{} AS k WHERE k.table_name = {} AND {}").format(
            sql.Identifier(target.schema, table.name),
            sql.Identifier(KEYS),
            sql.Literal(table.name),
            sql.SQL(" AND ").join(
                sql.SQL("t.{} = k.key[{}]::{}").format(sql.Identifier(name), sql.Literal(place), sql.SQL(kind))
                for place, (name, kind) in enumerate(table.key, start=1)
            ),
        )
    )
    query = sql.SQL("SELECT {} FROM {} AS t {}").format(
        table.listed(),
        sql.Identifier(source.schema, table.name),
        _changed(table, sql.Identifier(source.schema, CHANGES)),
    )
    _stream(old, query, new, target.schema, table)


def _changed(table: Table, keys: sql.Composable) -> sql.Composed:
    """Return the condition that a row ``t`` is among the changed rows in ``keys``."""
    columns = sql.SQL(", ").join(sql.Identifier("t", name) for name, _ in table.key)
    parts = sql.SQL(", ").join(
        sql.SQL("key[{}]::{}").format(sql.Literal(place), sql.SQL(kind))
        for place, (_, kind) in enumerate(table.key, start=1)
    )
    return sql.SQL("WHERE ({}) IN (SELECT {} FROM {} WHERE table_name = {})").format(
        columns, parts, keys, sql.Literal(table.name)
    )


def _compare(
    old: psycopg.Connection[Any],
    source: Place,
    new: psycopg.Connection[Any],
    target: Place,
    changed: list[str],
    check: str,
) -> int:
    """Compare both schemas as of this round; return the tenant's number of rows, 0 where nothing was compared.

    Raises:
        Conflict: they differ; the message names the tables.
    """
    rows = 0
    if check == "none":
        return rows
    tables, there = shape.tables(old, source.schema), shape.tables(new, target.schema)
    if check == "all":
        before: dict[str, Any] = {name: shape.digest(old, source.schema, tables[name]) for name in tables}
        after: dict[str, Any] = {name: shape.digest(new, target.schema, tables[name]) for name in there}
        rows = sum(digest.rows for digest in after.values())
    else:
        counted = shape.counts(new, target.schema)
        before, after = dict(shape.counts(old, source.schema)), dict(counted)
        rows = sum(counted.values())
        noted, taken = sql.Identifier(source.schema, CHANGES), sql.SQL("pg_temp.{}").format(sql.Identifier(KEYS))
        for name in changed:
            before[name] = (before[name], shape.digest(old, source.schema, tables[name], _changed(tables[name], noted)))
            after[name] = (after[name], shape.digest(new, target.schema, tables[name], _changed(tables[name], taken)))
    if before != after:
        differing = ", ".join(sorted(name for name in before if before[name] != after.get(name)))
        detail = f"the copy differs from the source: {differing}"
        raise Conflict(detail, command="the tenant stays where it is; cancel the move with --abort, then move again")
    return rows


def _stream(
    old: psycopg.Connection[Any], query: sql.Composed, new: psycopg.Connection[Any], schema: str, table: Table
) -> int:
    into = sql.SQL("{} ({})").format(sql.Identifier(schema, table.name), table.listed())
    return _pour(old, query, new, into)


def _pour(old: psycopg.Connection[Any], query: sql.Composed, new: psycopg.Connection[Any], into: sql.Composable) -> int:
    """Copy the rows of a query to a table in another database, in pieces; return how many."""
    with old.cursor() as reading, new.cursor() as writing:
        with (
            reading.copy(sql.SQL("COPY ({}) TO STDOUT").format(query)) as rows,
            writing.copy(sql.SQL("COPY {} FROM STDIN").format(into)) as sink,
        ):
            for piece in rows:
                sink.write(piece)
        return max(writing.rowcount, 0)


def _defer_references(connection: psycopg.Connection[Any], schema: str, *, deferred: bool) -> None:
    """Set whether references within a schema are checked only at the end of a transaction.

    Rounds bring rows in any order.
    """
    rows = connection.execute(
        "SELECT c.relname, k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND k.contype = 'f' AND k.condeferred <> %s",
        (schema, deferred),
    ).fetchall()
    how = sql.SQL("DEFERRABLE INITIALLY DEFERRED" if deferred else "NOT DEFERRABLE")
    for table, constraint in rows:
        connection.execute(
            sql.SQL("ALTER TABLE {} ALTER CONSTRAINT {} {}").format(
                sql.Identifier(schema, table), sql.Identifier(constraint), how
            )
        )
