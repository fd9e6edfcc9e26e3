"""Loading of an archive's rows: PostgreSQL parses the lines, and personal data are encrypted with new keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
import psycopg
from psycopg import sql

from core.errors import AppError
from core.privacy import vault
from core.privacy.restoring import restore_patient_keys
from core.tenancy.archive.errors import ArchiveDamaged, ArchiveTooNew
from core.tenancy.archive.tables import PATIENT_KEYS, count, prepare, restored_values, sealed_as, tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession
    from core.tenancy.archive.layout import Header, TableChecksum, TableInfo
    from core.tenancy.archive.reading import TablePart

_IDENTITIES = """
SELECT class.relname, attribute.attname FROM pg_class class
JOIN pg_namespace space ON space.oid = class.relnamespace
JOIN pg_attribute attribute ON attribute.attrelid = class.oid
WHERE space.nspname = %s AND attribute.attidentity <> '' AND NOT attribute.attisdropped
"""


_NO_ROWS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.ProgrammingError,
    psycopg.errors.StatementTooComplex,
    psycopg.errors.ProgramLimitExceeded,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
)
"""Errors for values of the wrong kind, raised by PostgreSQL or by this module."""


class Loader:
    """Loads the parts of an archive's tables into the tenant's schema, in the session's transaction.

    Args:
        session: the new tenant's, as its owner; the schema is empty and at the archive's revision.
        header: the archive's.

    Raises:
        ArchiveTooNew: the archive has tables or columns that this installation lacks at that revision.
    """

    def __init__(self, session: TenantSession, header: Header) -> None:
        self._session = session
        self._tables = {table.name: table for table in header.tables}
        self._order = header.tables
        prepare(session)
        tables = tables_of(session.cursor().connection, session.tenant.schema_name, all_tables=True)
        shapes = {table.name: _shape(table) for table in tables}
        wrong = sorted(table.name for table in header.tables if shapes.get(table.name) != _shape(table))
        if wrong:
            detail = f"tables differ from this installation's at revision {header.revision}: {', '.join(wrong)}"
            raise ArchiveTooNew(detail)
        self._session.cursor().execute("CREATE TEMP TABLE archive_rows (line json) ON COMMIT DROP")

    def take(self, part: TablePart) -> None:
        """Insert the part's rows.

        Raises:
            ArchiveDamaged: PostgreSQL rejects the rows.
        """
        table = self._tables[part.table]
        try:
            if table.name == PATIENT_KEYS:
                self._patient_keys(part.lines)
            elif table.sealed:
                self._sealed(table, part.lines)
            else:
                self._plain(table, part.lines)
        except _NO_ROWS as error:
            if isinstance(error, AppError):
                raise
            detail = f"rows of the table {table.name} do not fit its columns ({type(error).__name__})"
            raise ArchiveDamaged(detail) from None

    def finish(self) -> dict[str, TableChecksum]:
        """Continue numbering after the loaded rows, and count the tables as an export would.

        Raises:
            ArchiveDamaged: rows have numbers that their table could not have assigned.
        """
        try:
            self._go_on_numbering()
        except psycopg.DataError:
            detail = "rows have numbers that their table could not have assigned"
            raise ArchiveDamaged(detail) from None
        with self._session.cursor() as cursor:
            for table_info in self._order:
                cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table_info.name)))
        return {table.name: count(self._session, table) for table in self._order}

    def _go_on_numbering(self) -> None:
        with self._session.cursor() as cursor:
            for table, column in cursor.execute(_IDENTITIES, (self._session.tenant.schema_name,)).fetchall():
                if table in self._tables:
                    query = "SELECT setval(pg_get_serial_sequence({}, {}), max({})) FROM {} HAVING max({}) IS NOT NULL"
                    name = sql.Identifier(column)
                    cursor.execute(
                        sql.SQL(query).format(
                            sql.Literal(table), sql.Literal(column), name, sql.Identifier(table), name
                        )
                    )

    def _plain(self, table: TableInfo, lines: bytes) -> None:
        local = restored_values(table.name)
        columns = [sql.Identifier(name) for name in (*(column.name for column in table.plain), *local)]
        values = [_values(table), *(sql.SQL(value) for value in local.values())]
        with self._session.cursor() as cursor:
            copied = "COPY pg_temp.archive_rows FROM STDIN (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
            with cursor.copy(copied) as copy:
                copy.write(lines)
            cursor.execute(
                sql.SQL(
                    "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values}"
                    " FROM pg_temp.archive_rows, json_populate_record(NULL::{table}, line) given"
                ).format(
                    table=sql.Identifier(table.name),
                    columns=sql.SQL(", ").join(columns),
                    values=sql.SQL(", ").join(values),
                )
            )
            cursor.execute("TRUNCATE pg_temp.archive_rows")

    def _sealed(self, table: TableInfo, lines: bytes) -> None:
        assert table.patient  # noqa: S101 - both are set where columns are encrypted
        assert table.row  # noqa: S101 - as above
        texts = lines.decode().removesuffix("\n").split("\n")  # not splitlines, which splits at U+2028 too
        rows: list[Mapping[str, Any]] = [orjson.loads(text) for text in texts]
        safe, place = vault(self._session), sealed_as(table)
        safe.forget()  # forget keys after each part, so that memory stays bounded
        safe.load_patient_keys({UUID(row[table.patient]) for row in rows})
        sealed: list[list[bytes | None]] = [
            [
                None
                if (text := row[str(column.opened_as)]) is None
                else safe.encrypt(UUID(row[table.patient]), place, column.name, UUID(row[table.row]), text)
                for row in rows
            ]
            for column in table.sealed
        ]
        names = [sql.Identifier(column.name) for column in table.sealed]
        query = sql.SQL(
            "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values}, {sealed}"
            " FROM unnest(%s::text[], {arrays}) AS part (line, {names}),"
            " json_populate_record(NULL::{table}, part.line::json) given"
        ).format(
            table=sql.Identifier(table.name),
            columns=sql.SQL(", ").join([*(sql.Identifier(column.name) for column in table.plain), *names]),
            values=_values(table),
            names=sql.SQL(", ").join(names),
            sealed=sql.SQL(", ").join(sql.SQL("part.{}").format(name) for name in names),
            arrays=sql.SQL(", ").join(sql.SQL("%s::bytea[]") for _ in names),
        )
        self._session.cursor().execute(query, [texts, *sealed])
        safe.forget()

    def _patient_keys(self, lines: bytes) -> None:
        rows = [orjson.loads(line) for line in lines.splitlines()]
        keys = [(UUID(row["patient_uuid"]), row["created_at"], row["erased_at"]) for row in rows]
        restore_patient_keys(self._session, keys)


def _values(table: TableInfo) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("given.{}").format(sql.Identifier(column.name)) for column in table.plain)


def _shape(table: TableInfo) -> tuple[frozenset[tuple[str, str, str | None]], tuple[str, ...]]:
    """Return the columns and key of a table, in a form that does not depend on the order of columns."""
    return frozenset((one.name, one.type, one.opened_as) for one in table.columns), tuple(table.key)
