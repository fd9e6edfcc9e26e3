r"""A tenant's tables, from the catalog of its schema, and their rows as canonical lines.

A line is a JSON object with the columns in the table's order, written by PostgreSQL itself. Whole and floating numbers,
booleans and JSON stay as they are. Everything else is text: ``bytea`` as hexadecimal after ``\x``, times in UTC.
Encrypted columns come last, as their plain text under a key of their own; values of an erased patient are null. Lines
are ordered by the primary key, and texts by their bytes. So two tenants with the same records have the same bytes,
whatever their keys, ids and installations.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

import orjson
from psycopg import sql

from core.database import TenantBase
from core.feature_registry import load_tables
from core.privacy import vault
from core.privacy.errors import PatientErased
from core.tenancy.archive.layout import PART, ColumnInfo, OmittedPart, TableChecksum, TableInfo
from core.tenancy.shape import CHANGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from core.database import TenantSession

ENCRYPTED = "_enc"
PATIENT_KEYS = "patient_keys"
_OF_MOVES = {CHANGES}
"""Tables that exist in a schema only while it is moved; archives leave them out."""

_MADE_ANEW = {
    "alembic_version": "the migration is named in the header",
    "tenant_keys": "keys are wrapped by an installation's master key; the key of the indexes is in keys.json",
}
_NOT_CARRIED = {PATIENT_KEYS: {"tenant_key_version", "wrapped_key"}}
"""Columns without meaning elsewhere: patients get new keys, but the mark of an erased patient is carried.

Rooms declare theirs in ``info["archive"]`` of the column, which then has a default in the database, or
``info["restored_as"]``.
"""

_ROWS_AT_ONCE = 2_000

_SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
_COLUMNS = """
SELECT class.relname, attribute.attname, format_type(attribute.atttypid, attribute.atttypmod)
FROM pg_class class JOIN pg_namespace space ON space.oid = class.relnamespace
JOIN pg_attribute attribute ON attribute.attrelid = class.oid
WHERE space.nspname = %s AND class.relkind IN ('r', 'p') AND NOT class.relispartition
  AND attribute.attnum > 0 AND NOT attribute.attisdropped AND attribute.attgenerated = ''
ORDER BY class.relname, attribute.attnum
"""
_KEYS = """
SELECT class.relname, array_agg(attribute.attname ORDER BY place.number)
FROM pg_index index JOIN pg_class class ON class.oid = index.indrelid
JOIN pg_namespace space ON space.oid = class.relnamespace
CROSS JOIN LATERAL unnest(index.indkey::int[]) WITH ORDINALITY AS place (attnum, number)
JOIN pg_attribute attribute ON attribute.attrelid = class.oid AND attribute.attnum = place.attnum
WHERE space.nspname = %s AND index.indisprimary GROUP BY class.relname
"""
_REFERENCES = """
SELECT class.relname, referred.relname FROM pg_constraint made
JOIN pg_class class ON class.oid = made.conrelid JOIN pg_namespace space ON space.oid = class.relnamespace
JOIN pg_class referred ON referred.oid = made.confrelid
WHERE space.nspname = %s AND made.contype = 'f' AND made.conrelid <> made.confrelid
"""
_TEXTUAL = ("text", "character", '"char"', "name")


@dataclass
class LineCounter:
    """Counts and hashes lines."""

    rows: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)

    def take(self, block: bytes) -> None:
        """Count the lines of a block of whole lines."""
        self.rows += block.count(b"\n")
        self._digest.update(block)

    def done(self) -> TableChecksum:
        """The count and the hash so far."""
        return TableChecksum(rows=self.rows, sha256=self._digest.hexdigest())


def left_out() -> list[OmittedPart]:
    """The parts of a tenant that no archive carries, with reasons.

    Rooms declare them in ``info["archive"]`` of their tables and columns.
    """
    load_tables()
    tables = sorted(
        (table.name, str(table.info["archive"]))
        for table in TenantBase.metadata.tables.values()
        if "archive" in table.info
    )
    columns = sorted(
        (f"{table.name}.{column.name}", str(column.info["archive"]))
        for table in TenantBase.metadata.tables.values()
        for column in table.columns
        if "archive" in column.info
    )
    return [
        *(OmittedPart(what=f"table {name}", why=why) for name, why in tables),
        *(OmittedPart(what=f"column {name}", why=why) for name, why in columns),
        *(OmittedPart(what=f"table {name}", why=why) for name, why in sorted(_MADE_ANEW.items())),
        OmittedPart(what="jobs", why="they are the installation's work, not the tenant's records"),
        OmittedPart(
            what="API keys", why="they open this installation; a new one is made where the archive is restored"
        ),
        OmittedPart(what="usage", why="they are what this installation bills"),
        OmittedPart(what="files that expire", why="uploads of imports under way: import them again"),
    ]


def restored_values(table: str) -> dict[str, str]:
    """Return the columns of a table that archives leave out, with the values in SQL that they get when restored."""
    known = TenantBase.metadata.tables.get(table)
    columns = () if known is None else known.columns
    return {column.name: str(column.info["restored_as"]) for column in columns if "restored_as" in column.info}


def tables_of(connection: psycopg.Connection[Any], schema: str, *, all_tables: bool = False) -> list[TableInfo]:
    """Return the tables of a schema that an archive contains: patients' keys first, each table after its references.

    Args:
        connection: a connection to the schema's data database.
        schema: the tenant's schema.
        all_tables: include tables that rooms leave out today; an older archive may contain them.
    """
    load_tables()
    omitted = _OF_MOVES | set(_MADE_ANEW)
    if not all_tables:
        omitted |= {table.name for table in TenantBase.metadata.tables.values() if "archive" in table.info}
    local = {
        (table.name, column.name)
        for table in TenantBase.metadata.tables.values()
        for column in table.columns
        if "archive" in column.info
    }
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, name, kind in connection.execute(_COLUMNS, (schema,)):
        if table not in omitted and name not in _NOT_CARRIED.get(table, ()) and (table, name) not in local:
            columns.setdefault(table, []).append((name, kind))
    keys = dict(connection.execute(_KEYS, (schema,)).fetchall())
    order: TopologicalSorter[str] = TopologicalSorter()
    for table in sorted(columns):
        order.add(table, *([PATIENT_KEYS] if table != PATIENT_KEYS and PATIENT_KEYS in columns else []))
    for table, referred in connection.execute(_REFERENCES, (schema,)):
        if table in columns and referred in columns:
            order.add(table, referred)
    return [_described(name, columns[name], keys.get(name, [])) for name in order.static_order()]


def _described(table: str, columns: list[tuple[str, str]], key: list[str]) -> TableInfo:
    names = {name for name, _ in columns}
    described = [
        ColumnInfo(
            name=name,
            type=kind,
            opened_as=_opened_name(name, names) if name.endswith(ENCRYPTED) and kind == "bytea" else None,
        )
        for name, kind in columns
    ]
    sealed = any(column.opened_as for column in described)
    patient = ("patient_uuid" if "patient_uuid" in names else "uuid") if sealed else None
    row = "uuid" if "uuid" in names else "patient_uuid"
    if not key or (sealed and row not in names):
        message = f"the table {table} has no primary key, or encrypted columns and no uuid: an archive cannot carry it"
        raise TypeError(message)
    return TableInfo(name=table, columns=described, key=key, patient=patient, row=row if sealed else None)


def sealed_as(table: TableInfo) -> str:
    """Return the table name under which this table's values are encrypted.

    Two tables with the same name here can exchange ciphertexts.
    """
    known = TenantBase.metadata.tables.get(table.name)
    return table.name if known is None else str(known.info.get("sealed_as", table.name))


def _opened_name(name: str, taken: set[str]) -> str:
    bare = name.removesuffix(ENCRYPTED)
    return f"{bare}_plain" if bare in taken else bare


def prepare(session: TenantSession) -> None:
    """Make PostgreSQL write values in the form of lines until the transaction ends."""
    session.set_local(**_SETTINGS)


def blocks(session: TenantSession, table: TableInfo) -> Iterator[bytes]:
    """Yield the table's lines in blocks of about ``PART`` bytes. Call ``prepare`` first, in the same transaction.

    Raises:
        CannotDecrypt: an encrypted value cannot be decrypted.
    """
    lines, size = [], 0
    for line in _opened(session, table) if table.sealed else _copied(session, table):
        lines.append(line)
        size += len(line)
        if size >= PART:
            yield b"".join(lines)
            lines, size = [], 0
    if lines:
        yield b"".join(lines)


def count(session: TenantSession, table: TableInfo) -> TableChecksum:
    """The number of the table's rows now, and the SHA-256 over its lines."""
    counting = LineCounter()
    for block in blocks(session, table):
        counting.take(block)
    return counting.done()


def _copied(session: TenantSession, table: TableInfo) -> Iterator[bytes]:
    # CSV with characters that JSON always escapes: each line is copied as it is.
    query = sql.SQL(
        "COPY (SELECT row_to_json(kept) FROM (SELECT {columns} FROM {table}{rows}) kept ORDER BY {order})"
        " TO STDOUT (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
    ).format(columns=_listed(table), table=sql.Identifier(table.name), rows=_condition(table), order=_order(table))
    with session.cursor() as cursor, cursor.copy(query) as copy:
        for line in copy:
            yield bytes(line)


def _opened(session: TenantSession, table: TableInfo) -> Iterator[bytes]:
    """Yield the lines of a table with encrypted columns.

    PostgreSQL writes the other columns, and this function adds each decrypted value.
    """
    assert table.patient  # noqa: S101 - both are set where columns are encrypted
    assert table.row  # noqa: S101 - as above
    safe, place = vault(session), sealed_as(table)
    query = sql.SQL(
        "SELECT (SELECT row_to_json(plain)::text FROM (SELECT {columns}) plain), {patient}, {row}, {sealed}"
        " FROM {table} kept ORDER BY {order}"
    ).format(
        columns=_listed(table),
        patient=sql.Identifier(table.patient),
        row=sql.Identifier(table.row),
        sealed=sql.SQL(", ").join(sql.Identifier(column.name) for column in table.sealed),
        table=sql.Identifier(table.name),
        order=_order(table),
    )
    session.flush()
    connection = session.cursor().connection
    with connection.cursor(name="archive_rows") as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            safe.forget()  # forget keys after each batch, so that memory does not grow with the tenant
            safe.load_patient_keys({row[1] for row in rows if any(value is not None for value in row[3:])})
            for line, patient, uuid, *values in rows:
                parts = [line[:-1].encode()]
                for column, value in zip(table.sealed, values, strict=True):
                    text = None
                    if value is not None:
                        try:
                            text = safe.decrypt(patient, place, column.name, uuid, value)
                        except PatientErased:
                            text = None
                    parts.append(b',"%s":%s' % (str(column.opened_as).encode(), orjson.dumps(text)))
                parts.append(b"}\n")
                yield b"".join(parts)
    safe.forget()


def _listed(table: TableInfo) -> sql.Composed:
    """The columns that PostgreSQL writes. Exact numbers are text, because JSON readers would round large ones."""
    return sql.SQL(", ").join(
        sql.SQL("{0}::text AS {0}" if column.type.startswith("numeric") else "{0}").format(sql.Identifier(column.name))
        for column in table.plain
    )


def _condition(table: TableInfo) -> sql.SQL:
    known = TenantBase.metadata.tables.get(table.name)
    rows = None if known is None else known.info.get("archive_rows")
    return sql.SQL(f" WHERE {rows}" if rows else "")


def _order(table: TableInfo) -> sql.Composed:
    types = {column.name: column.type for column in table.columns}
    return sql.SQL(", ").join(
        sql.SQL("kept.{}" + (' COLLATE "C"' if types[name].startswith(_TEXTUAL) else "")).format(sql.Identifier(name))
        for name in table.key
    )
