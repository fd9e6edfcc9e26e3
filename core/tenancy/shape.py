"""What a tenant's schema consists of, read from the catalogue, and whether two of them hold the same rows."""

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
"""The table that changes of a tenant under way are noted in; see ``core.tenancy.move.capture``."""

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
    """One table: its columns that can be written, those numbered by the database, and its key's columns with types."""

    name: str
    columns: tuple[str, ...]
    identities: tuple[str, ...]
    key: tuple[tuple[str, str], ...]

    def listed(self) -> sql.Composed:
        """The columns, as COPY and SELECT list them."""
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))


@dataclass(frozen=True, slots=True)
class Digest:
    """Rows of one table, and the sum of their hashes: equal for equal rows in whatever order they are kept."""

    rows: int
    sum: str


def plain_text(connection: psycopg.Connection[Any]) -> None:
    """Make values in this transaction read the same whatever the server's settings."""
    for statement in _PLAIN_TEXT.split("; "):
        connection.execute(statement.encode())


def tables(connection: psycopg.Connection[Any], schema: str) -> dict[str, Table]:
    """The tables of a tenant's schema by name, without the one that says its version.

    Raises:
        Conflict: a table is partitioned or foreign, or has no primary key: its rows cannot be followed.
    """
    found = {}
    for name, kind, columns, identities, key, types in connection.execute(_TABLES, (schema, CHANGES)):
        if kind != "r" or not key:
            detail = f"the table {name} of the tenant cannot be copied: it is no plain table with a primary key"
            raise Conflict(detail, remedy="see docs/how-to/move-a-tenant.md")
        if name != VERSIONS:
            found[name] = Table(name, tuple(columns), tuple(identities or ()), tuple(zip(key, types, strict=True)))
    return found


def revision(connection: psycopg.Connection[Any], schema: str) -> str:
    """The migration that the schema stands at."""
    query = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(schema, VERSIONS))
    row = connection.execute(query).fetchone()
    return str(row[0]) if row else ""


def digest(
    connection: psycopg.Connection[Any], schema: str, table: Table, where: sql.Composable | None = None
) -> Digest:
    """Count and checksum of a table, or of the rows of it that ``where`` chooses. Call ``plain_text`` before."""
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
    found = tables(connection, schema)
    return {name: digest(connection, schema, table) for name, table in found.items() if name not in but}


def counts(connection: psycopg.Connection[Any], schema: str) -> dict[str, int]:
    """Rows of every table."""
    found = {}
    for name in tables(connection, schema):
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))).fetchone()
        found[name] = int(row[0]) if row else 0
    return found


def set_sequences(
    target: psycopg.Connection[Any], to: str, shape: dict[str, Table], values: dict[tuple[str, str], int | None]
) -> None:
    """Let the numbering of the target's tables go on where that of the source stands."""
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
    """(table, column) -> the last number given, None where none was."""
    found: dict[tuple[str, str], int | None] = {}
    for name, table in shape.items():
        for column in table.identities:
            row = connection.execute(
                "SELECT last_value FROM pg_sequences WHERE format('%%I.%%I', schemaname, sequencename)::regclass"
                " = pg_get_serial_sequence(%s, %s)::regclass",
                (sql.Identifier(schema, name).as_string(connection), column),
            ).fetchone()
            found[name, column] = row[0] if row else None
    return found
