"""Stage rows for a versioned table: hash them, buffer them, and copy them into a temporary table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from psycopg import sql
from sqlalchemy import Date, DateTime, Float, Table
from sqlalchemy.dialects import postgresql

from tenants.records.ids import API_SOURCE, entity_uuid, row_hash, utc
from tenants.records.versioned import BOOKKEEPING, Versioned

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession

BATCH = 10_000
"""Rows kept in memory before they are copied."""

_LEADING = (
    ("seq", "int8"),
    ("uuid", "uuid"),
    ("facility_uuid", "uuid"),
    ("source_key", "bytea"),
    ("known_at", "timestamptz"),
    ("assumed_from", "date"),
    ("row_hash", "bytea"),
    ("voided", "bool"),
    ("void_reason", "text"),
)
LEADING = tuple(name for name, _ in _LEADING)
"""The columns of a staged row besides its content."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The content columns of a versioned table, without the bookkeeping of versions.

    Attributes:
        columns: names of the content columns, in the table's order; ``names``, the same as a set.
        types: their PostgreSQL types.
        hashed: positions of the columns in ``row_hash``; encrypted ones are not in it, because each ciphertext differs,
            nor are columns marked ``unhashed``.
        convert: positions of columns whose values need converting to one form, with the function.
        defaults: positions of columns that are never empty, with the value for a missing one.
    """

    table: str
    columns: tuple[str, ...]
    names: frozenset[str]
    types: tuple[str, ...]
    hashed: tuple[int, ...]
    convert: tuple[tuple[int, Callable[[Any], object]], ...]
    defaults: tuple[tuple[int, object], ...]


@cache
def shape(model: type[Versioned]) -> Shape:
    """The content columns of a versioned table."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    columns = [column for column in table.columns if column.name not in BOOKKEEPING]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    convert: list[tuple[int, Callable[[Any], object]]] = []
    for position, column in enumerate(columns):
        if isinstance(column.type, DateTime):
            convert.append((position, utc))
        elif isinstance(column.type, Date):
            convert.append((position, _day))
        elif isinstance(column.type, Float):
            convert.append((position, float))
    return Shape(
        table=table.name,
        columns=tuple(column.name for column in columns),
        names=frozenset(column.name for column in columns),
        types=tuple("float8" if isinstance(column.type, Float) else column.type.compile(dialect) for column in columns),
        hashed=tuple(
            i
            for i, column in enumerate(columns)
            if not column.name.endswith("_enc") and not column.info.get("unhashed")
        ),
        convert=tuple(convert),
        defaults=tuple(
            (position, model.model_fields[column.name].default)
            for position, column in enumerate(columns)
            if not column.nullable and not model.model_fields[column.name].is_required()
        ),
    )


def content_values(model: type[Versioned], content: Mapping[str, object]) -> tuple[list[object], bytes]:
    """The content values in the table's order, each converted to one form, and their fingerprint.

    A missing value is empty, or the default of a column that may not be empty.

    Raises:
        ValueError: a name is not a content column of the table, or a time has no zone.
    """
    form = shape(model)
    if not content.keys() <= form.names:
        unknown = ", ".join(sorted(content.keys() - form.names))
        message = f"{form.table} has no content column named {unknown}"
        raise ValueError(message)
    values = list(map(content.get, form.columns))
    for position, bring in form.convert:
        value = values[position]
        if value is not None:
            values[position] = bring(value)
    for position, default in form.defaults:
        if values[position] is None:
            values[position] = default
    return values, row_hash([values[position] for position in form.hashed])


def _day(value: object) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        message = f"a date is expected, not a value of type {type(value).__name__}"
        raise ValueError(message)  # noqa: TRY004 - callers turn one kind of error into a rejected row
    return value


@dataclass(frozen=True, slots=True)
class StagedQuery:
    """A query whose rows are to be staged.

    Attributes:
        query: its rows have the columns of ``LEADING``, then ``columns``.
        columns: its content columns; the others of the table are empty.
        whose: the patients of the rows.
        where: the facilities of the rows.
    """

    query: sql.Composable
    columns: tuple[str, ...]
    whose: list[UUID]
    where: list[UUID]

    @property
    def names(self) -> sql.Composable:
        """The names of the query's columns, as SQL."""
        return sql.SQL(", ").join(map(sql.Identifier, (*LEADING, *self.columns)))

    @property
    def places(self) -> sql.Composable:
        """The facilities as a table, in SQL."""
        return sql.SQL("(SELECT * FROM unnest({}::uuid[]) AS u (facility_uuid))").format(self.where)

    def as_table(self, form: Shape) -> sql.Composable:
        """The query as a table with all columns, in SQL."""
        missing = [
            sql.SQL("NULL::{} AS {}").format(sql.SQL(kind), sql.Identifier(name))
            for name, kind in zip(form.columns, form.types, strict=True)
            if name not in self.columns
        ]
        shown = sql.SQL(", ").join([sql.SQL("q.*"), *missing])
        return sql.SQL("(SELECT {} FROM ({}) AS q ({}))").format(shown, self.query, self.names)


@dataclass(slots=True)
class Stage:
    """Rows of one source for one table, staged in the caller's transaction.

    Attributes:
        rows: number of rows added.
        repeated: whether a key was added more than once; the last row of a key counts.
        asked: the query of the rows, until it is run; None if the rows are in the temporary table.
    """

    session: TenantSession
    model: type[Versioned]
    source: str
    rows: int = 0
    repeated: bool = False
    asked: StagedQuery | None = None
    _buffer: list[tuple[object, ...]] = field(default_factory=list)
    _seen: set[UUID] = field(default_factory=set)

    @property
    def temporary(self) -> sql.Identifier:
        """The temporary table."""
        return sql.Identifier("pg_temp", f"staged_{shape(self.model).table}")

    def add(
        self,
        facility_uuid: UUID,
        source_key: bytes,
        content: Mapping[str, object],
        *,
        known_from: datetime | None = None,
        assumed_from: date | None = None,
        voided: bool = False,
        void_reason: str | None = None,
    ) -> UUID:
        """Stage one row and return the UUID of its entity.

        Args:
            facility_uuid: the facility that the row belongs to.
            source_key: blind index of the source's identifier of the row.
            content: value by column; a column that is missing is empty.
            known_from: the source's stamp of the row, if it has one.
            assumed_from: event date plus the source's usual lag; used only for the first import of a facility,
                source and table.
            voided: the source has voided the row.
            void_reason: why, if the source says so.

        Raises:
            ValueError: a name is not a column of the table, or a time has no zone.
        """
        values, fingerprint = content_values(self.model, content)
        known_at = None if known_from is None else utc(known_from)
        uuid = entity_uuid(shape(self.model).table, facility_uuid, self.source, source_key)
        if uuid in self._seen:
            self.repeated = True
        self._seen.add(uuid)
        self.rows += 1
        origin = (self.rows, uuid, facility_uuid, source_key, known_at, assumed_from, fingerprint)
        self._buffer.append((*origin, voided, void_reason, *values))
        if len(self._buffer) >= BATCH:
            self.flush()
        return uuid

    def flush(self) -> None:
        """Copy the buffered rows into the temporary table."""
        if not self._buffer:
            return
        form = shape(self.model)
        names = [name for name, _ in _LEADING] + list(form.columns)
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            self.temporary,
            sql.SQL(", ").join(map(sql.Identifier, names)),
        )
        with self.session.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([kind for _, kind in _LEADING] + [kind.lower() for kind in form.types])
            for row in self._buffer:
                copy.write_row(row)
        self._buffer.clear()

    def fill(self, asked: StagedQuery, *, repeated: bool) -> None:
        """Stage the rows of a query, which runs in the database when the rows are needed.

        The caller must make sure that the query computes the UUID and fingerprint of each row as ``add`` does.

        Args:
            asked: the query.
            repeated: whether a key may be in it more than once; the row with the last ``seq`` counts.
        """
        self.asked, self.repeated = asked, self.repeated or repeated

    def read(self) -> None:
        """Run the query, if there is one, and put its rows into the temporary table."""
        if self.asked is None:
            return
        with self.session.cursor() as cursor:
            cursor.execute(sql.SQL("INSERT INTO {} ({}) {}").format(self.temporary, self.asked.names, self.asked.query))
            self.rows, self.asked = cursor.rowcount, None

    def forget(self) -> None:
        """Reset the stage: it has no rows."""
        self.rows, self.repeated, self.asked = 0, False, None

    def create(self) -> None:
        """Create the temporary table. The end of the transaction, or the next ``create``, drops it."""
        form = shape(self.model)
        columns = [*_LEADING, *zip(form.columns, form.types, strict=True)]
        definition = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(n), sql.SQL(t)) for n, t in columns)
        with self.session.cursor() as cursor:
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self.temporary))
            cursor.execute(
                sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP").format(
                    sql.Identifier(f"staged_{form.table}"),
                    definition,
                )
            )


@contextmanager
def staging(session: TenantSession, model: type[Versioned], *, source: str) -> Iterator[Stage]:
    """Stage rows of ``source`` for the table of ``model``; all of them are in the temporary table when the block ends.

    Raises:
        ValueError: ``source`` is empty, or is the API's own.
    """
    if not source or source == API_SOURCE:
        message = f"a source needs a name of its own, other than {API_SOURCE!r}"
        raise ValueError(message)
    stage = Stage(session, model, source)
    stage.create()
    yield stage
    stage.flush()
