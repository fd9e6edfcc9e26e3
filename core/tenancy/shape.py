"""The tables of a tenant's schema, read from the catalogue, and their digests for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from core.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Collection

    import psycopg

VERSIONS = "alembic_version"
CHANGES = "move_changes"
"""The table that notes a tenant's changes during a move; see ``core.tenancy.move.capture``."""

_PLAIN_TEXT = (
    "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'iso_8601';"
    " SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1"
)
_TABLES = """
SELECT c.relname, c.relkind,
    array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated = ''),
    array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attidentity <> ''),
    (SELECT array_agg(k.attname::text ORDER BY k.attnum) FROM pg_index i JOIN pg_attribute k
        ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary),
    (SELECT array_agg(format_type(k.atttypid, k.atttypmod) ORDER BY k.attnum) FROM pg_index i JOIN pg_attribute k
        ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'f') AND c.relname <> %s
GROUP BY c.oid, c.relname, c.relkind ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its writable columns, the columns that the database numbers, and its key's columns with types."""

    name: str
    columns: tuple[str, ...]
    identities: tuple[str, ...]
    key: tuple[tuple[str, str], ...]

    def listed(self) -> sql.Composed:
        """The columns, as COPY and SELECT list them."""
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))


@dataclass(frozen=True, slots=True)
class Digest:
    """The number of a table's rows and the sum of their hashes: equal for equal rows in any order."""

    rows: int
    sum: str


def plain_text(connection: psycopg.Connection[Any]) -> None:
    """Make this transaction read values in the same form, whatever the server's settings."""
    for statement in _PLAIN_TEXT.split("; "):
        connection.execute(statement.encode())


def tables(connection: psycopg.Connection[Any], schema: str) -> dict[str, Table]:
    """The tables of a tenant's schema by name, except the one with its revision.

    Raises:
        Conflict: a table is partitioned, foreign or without a primary key, so its rows cannot be followed.
    """
    shapes = {}
    for name, kind, columns, identities, key, types in connection.execute(_TABLES, (schema, CHANGES)):
        if kind != "r" or not key:
            detail = f"the table {name} of the tenant cannot be copied: it is not a plain table with a primary key"
            raise Conflict(detail, remedy="see docs/how-to/move-a-tenant.md")
        if name != VERSIONS:
            shapes[name] = Table(name, tuple(columns), tuple(identities or ()), tuple(zip(key, types, strict=True)))
    return shapes


def revision(connection: psycopg.Connection[Any], schema: str) -> str:
    """The schema's migration."""
    query = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(schema, VERSIONS))
    row = connection.execute(query).fetchone()
    return str(row[0]) if row else ""


def digest(
    connection: psycopg.Connection[Any], schema: str, table: Table, where: sql.Composable | None = None
) -> Digest:
    """The count and checksum of a table, or of the rows that ``where`` chooses. Call ``plain_text`` before."""
    row = connection.execute(
        sql.SQL(
            "SELECT count(*), coalesce(sum(('x' || left(encode(sha256(convert_to(ROW({})::text, 'UTF8')), 'hex'), 15))"
            "::bit(60)::bigint), 0)::text FROM {} AS t {}"
        ).format(table.listed(), sql.Identifier(schema, table.name), where or sql.SQL(""))
    ).fetchone()
    return Digest(int(row[0]), str(row[1])) if row else Digest(0, "0")


def digests(connection: psycopg.Connection[Any], schema: str, *, but: Collection[str] = ()) -> dict[str, Digest]:
    """Count and checksum of every table."""
    plain_text(connection)
    shapes = tables(connection, schema)
    return {name: digest(connection, schema, table) for name, table in shapes.items() if name not in but}


def counts(connection: psycopg.Connection[Any], schema: str) -> dict[str, int]:
    """The number of rows of every table."""
    totals = {}
    for name in tables(connection, schema):
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))).fetchone()
        totals[name] = int(row[0]) if row else 0
    return totals


def set_sequences(
    target: psycopg.Connection[Any], to: str, shape: dict[str, Table], values: dict[tuple[str, str], int | None]
) -> None:
    """Continue the target's numbering after the source's last numbers."""
    for name, table in shape.items():
        for column in table.identities:
            value = values.get((name, column))
            if value is not None:
                place = sql.Literal(sql.Identifier(to, name).as_string(target))
                target.execute(
                    sql.SQL("SELECT setval(pg_get_serial_sequence({}, {}), {})").format(
                        place, sql.Literal(column), sql.Literal(value)
                    )
                )


def sequences(
    connection: psycopg.Connection[Any], schema: str, shape: dict[str, Table]
) -> dict[tuple[str, str], int | None]:
    """Return (table, column) -> the last assigned number; None if none was assigned."""
    numbers: dict[tuple[str, str], int | None] = {}
    for name, table in shape.items():
        for column in table.identities:
            row = connection.execute(
                "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, %s)::regclass)",
                (sql.Identifier(schema, name).as_string(connection), column),
            ).fetchone()
            numbers[name, column] = row[0] if row else None
    return numbers
