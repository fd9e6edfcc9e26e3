"""Rows on their way into a versioned table: hashed, buffered and copied into a temporary table of the transaction."""

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
"""What a staged row says besides its content."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The content of a versioned table: what a source says, without the bookkeeping of versions.

    Attributes:
        columns: names of the content columns, in the table's order; ``names``, the same as a set.
        types: their PostgreSQL types.
        hashed: positions of those that enter ``row_hash`` (ciphertexts differ each time, so they do not).
        convert: positions of those that need bringing to one form, and how.
        defaults: positions of those that are never empty, and what they hold where nothing is said.
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
        hashed=tuple(i for i, column in enumerate(columns) if not column.name.endswith("_enc")),
        convert=tuple(convert),
        defaults=tuple(
            (position, model.model_fields[column.name].default)
            for position, column in enumerate(columns)
            if not column.nullable and not model.model_fields[column.name].is_required()
        ),
    )


def content_values(model: type[Versioned], content: Mapping[str, object]) -> tuple[list[object], bytes]:
    """The content in the table's order, each value in its one form, and its fingerprint.

    What is missing is empty, or the column's default where it may not be.

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
class Asked:
    """Rows that a query gives.

    Attributes:
        query: gives the leading columns in the order of ``LEADING``, then ``columns``.
        columns: content columns of the table; those that are missing are empty.
        whose: the patients of the rows.
        where: their facilities.
    """

    query: sql.Composable
    columns: tuple[str, ...]
    whose: list[UUID]
    where: list[UUID]

    @property
    def names(self) -> sql.Composable:
        """The columns that the query gives."""
        return sql.SQL(", ").join(map(sql.Identifier, (*LEADING, *self.columns)))

    @property
    def places(self) -> sql.Composable:
        """The facilities, to be read as a table."""
        return sql.SQL("(SELECT * FROM unnest({}::uuid[]) AS u (facility_uuid))").format(self.where)

    def as_table(self, form: Shape) -> sql.Composable:
        """What the query gives, to be read as a table that has all columns."""
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
        rows: how many were added.
        repeated: a key was added more than once; the last one wins.
        asked: what gives the rows, until it is run; None where they are in the temporary table.
    """

    session: TenantSession
    model: type[Versioned]
    source: str
    rows: int = 0
    repeated: bool = False
    asked: Asked | None = None
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
            known_from: when the source wrote this, if it says so.
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
        """Copy what is buffered into the temporary table."""
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

    def fill(self, asked: Asked, *, repeated: bool) -> None:
        """Stage what a query gives, without a way round through this process. It is run when the rows are needed.

        Whoever calls this answers for what ``add`` would have worked out: the UUID and the fingerprint of each row.

        Args:
            asked: the query.
            repeated: whether a key may be in it more than once; the row with the last ``seq`` wins.
        """
        self.asked, self.repeated = asked, self.repeated or repeated

    def read(self) -> None:
        """Run the query, where there is one: from now on its rows are in the temporary table."""
        if self.asked is None:
            return
        with self.session.cursor() as cursor:
            cursor.execute(sql.SQL("INSERT INTO {} ({}) {}").format(self.temporary, self.asked.names, self.asked.query))
            self.rows, self.asked = cursor.rowcount, None

    def forget(self) -> None:
        """Have nothing staged any more."""
        self.rows, self.repeated, self.asked = 0, False, None

    def create(self) -> None:
        """Make the temporary table; it goes with the transaction, or with the next ``create``."""
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
