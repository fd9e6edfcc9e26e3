"""SQL of long lists: sorts them, and continues after a cursor's row instead of counting an offset.

Sort columns must be NOT NULL: a comparison with null would lose rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import literal, tuple_
from sqlmodel import func, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlmodel.sql.expression import SelectOfScalar

    from core.database import TenantSession
    from core.web.cursors import Key, Sort
    from core.web.paging import PageRequest

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Slice(Generic[Row]):
    """The rows of one page, the total, and the key of the last row if more rows follow."""

    rows: Sequence[Row]
    total: int
    last: Key | None = None


def cut(rows: Sequence[Row], paging: PageRequest, total: int, key: Callable[[Row], Key]) -> Slice[Row]:
    """Return the page from ``rows``, which may contain one row more to show that another page follows."""
    shown = rows[: paging.page_size]
    return Slice(shown, total, key(shown[-1]) if len(rows) > len(shown) else None)


def slice_of(rows: Iterable[Row], paging: PageRequest, identity: str) -> Slice[Row]:
    """Return one page of rows that are in memory.

    Args:
        rows: all rows of the list. The fields by which it can be sorted are attributes of a row, and never null.
        paging: the request's page, from ``long_pages``.
        identity: the attribute that orders rows of the same value.
    """
    key = attrgetter(_sort(paging).field, identity)
    descending = _sort(paging).descending
    ordered = sorted(rows, key=key, reverse=descending)
    following = ordered[paging.offset :]
    if paging.key is not None:
        following = [row for row in ordered if (key(row) < paging.key if descending else key(row) > paging.key)]
    return cut(following[: paging.page_size + 1], paging, len(ordered), key)


def read_slice(
    session: TenantSession,
    statement: SelectOfScalar[Row],
    paging: PageRequest,
    columns: Mapping[str, Any],
    identity: Any,  # noqa: ANN401 - a column of any type
) -> Slice[Row]:
    """Return one page of the rows that ``statement`` selects.

    Args:
        session: the tenant's transaction.
        statement: selects a model, or the columns named below, with conditions and without an order.
        paging: the request's page, from ``long_pages``.
        columns: the column of each field by which the list can be sorted.
        identity: the column that orders rows of the same value.
    """
    total = session.exec(select(func.count()).select_from(statement.order_by(None).subquery())).one()
    rows = session.exec(page_statement(statement, paging, columns, identity)).all()
    column = columns[_sort(paging).field]
    return cut(rows, paging, total, lambda row: (getattr(row, column.key), getattr(row, identity.key)))


def page_statement(
    statement: SelectOfScalar[Row],
    paging: PageRequest,
    columns: Mapping[str, Any],
    identity: Any,  # noqa: ANN401 - a column of any type
) -> SelectOfScalar[Row]:
    """Return the statement that reads one page and one row more; for the arguments, see ``read_slice``."""
    sort = _sort(paging)
    column = columns[sort.field]
    if getattr(column, "nullable", False):
        message = f"{sort.field} may be null: a list that gives cursors cannot be sorted by it"
        raise LookupError(message)
    if paging.key is not None:
        row_key, start = tuple_(column, identity), tuple_(*map(_bound, (column, identity), paging.key))
        statement = statement.where(row_key < start if sort.descending else row_key > start)
    order = (column.desc(), identity.desc()) if sort.descending else (column, identity)
    return statement.order_by(*order).limit(paging.page_size + 1).offset(paging.offset)


def _sort(paging: PageRequest) -> Sort:
    if paging.sort is None:
        message = "this list gives cursors: its route takes long_pages(...)"
        raise LookupError(message)
    return paging.sort


def _bound(column: Any, value: object) -> Any:  # noqa: ANN401 - a column of any type
    return literal(value, column.type)


@dataclass(frozen=True, slots=True)
class KeysetSql:
    """Parts of a statement in plain SQL.

    Attributes:
        where: the condition that skips the rows before the page; ``true`` on the first page.
        order: the list after ORDER BY.
        limit: LIMIT and OFFSET.
        values: the values of the parameters in these parts.
    """

    where: str
    order: str
    limit: str
    values: dict[str, object]


def keyset_sql(paging: PageRequest, columns: Mapping[str, str], identity: str) -> KeysetSql:
    """Return the parts of a statement that reads one page and one row more, for ``cut``.

    >>> from core.web.cursors import Sort
    >>> from core.web.paging import PageRequest
    >>> keyset_sql(PageRequest(sort=Sort("name"), keyed=True), {"name": "f.name"}, "f.uuid").order
    'f.name ASC, f.uuid ASC'
    """
    sort = _sort(paging)
    column, way, sign = columns[sort.field], *(("DESC", "<") if sort.descending else ("ASC", ">"))
    values: dict[str, object] = {"page_limit": paging.page_size + 1, "page_offset": paging.offset}
    where = "true"
    if paging.key is not None:
        where = f"({column}, {identity}) {sign} (%(after_value)s, %(after_identity)s)"
        values["after_value"], values["after_identity"] = paging.key
    limit = "LIMIT %(page_limit)s OFFSET %(page_offset)s"
    return KeysetSql(where, f"{column} {way}, {identity} {way}", limit, values)
