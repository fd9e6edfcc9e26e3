"""Read a query's rows as numpy columns. PostgreSQL packs each column into one value, so no row passes through Python.

Work per value is slow in PostgreSQL: packing alone takes about 0.1 microseconds. So days and times arrive in
PostgreSQL's own form, and Python converts whole columns to days of the tenant's time zone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import sql

    from core.database import TenantSession

_FORMS: Final[Mapping[str, tuple[str, str, type[np.generic]]]] = {
    "uuid": ("uuid_send", "S16", np.bytes_),
    "int8": ("int8send", ">i8", np.int64),
    "int4": ("int4send", ">i4", np.int32),
    "int2": ("int2send", ">i2", np.int16),
    "float8": ("float8send", ">f8", np.float64),
    "bool": ("boolsend", "u1", np.bool_),
    "date": ("date_send", ">i4", np.int32),
    "stamp": ("timestamptz_send", ">i8", np.int64),
}
"""Type -> the PostgreSQL function that packs it, the numpy type that reads the bytes, and the type of the column."""

_DAYS_TO_2000: Final = 10_957
_SECONDS_TO_2000: Final = 946_684_800
_SECONDS_PER_DAY: Final = 86_400
_LAST_YEAR: Final = 9998

Columns = dict[str, npt.NDArray[Any]]


def fetch(session: TenantSession, query: sql.Composed, columns: Mapping[str, str]) -> Columns:
    """Return the rows of a query as columns. A packed column may hold 1 GB at most, so fetch one chunk at a time.

    Args:
        session: the tenant's transaction.
        query: a SELECT of these columns, none of which is ever NULL.
        columns: name -> type (``uuid``, ``int8``, ``int4``, ``int2``, ``float8``, ``bool``, ``date``, ``stamp``), in
            the query's order. A UUID becomes ``S16``, which sorts as PostgreSQL sorts UUIDs; a ``date`` a day number
            (``-infinity``: NO_DAY, ``infinity``: OPEN_DAY); a ``stamp`` (timestamptz) microseconds since 2000-01-01,
            which :func:`local_days` turns into days.

    Raises:
        ValueError: a value is NULL.
    """
    with session.cursor() as cursor:
        cursor.execute(_packed(query, columns), binary=True)
        row = cursor.fetchone()
    return unpack(row or (), columns)


def fetch_together(
    session: TenantSession, queries: Mapping[str, tuple[sql.Composed, Mapping[str, str]]]
) -> dict[str, Columns]:
    """Return the columns of several queries from one statement. Each query lists its columns as in :func:`fetch`.

    Raises:
        ValueError: a value is NULL.
    """
    with session.cursor() as cursor:
        cursor.execute(together(queries), binary=True)
        row = cursor.fetchone() or ()
    return unpack_together(row, {name: columns for name, (_, columns) in queries.items()})


def together(queries: Mapping[str, tuple[sql.Composed, Mapping[str, str]]]) -> sql.Composed:
    """Combine several queries into one statement of one row, which :func:`unpack_together` reads."""
    from psycopg import sql

    parts = [
        sql.SQL("({}) AS {}").format(_packed(query, columns), sql.Identifier(name))
        for name, (query, columns) in queries.items()
    ]
    return sql.SQL("SELECT * FROM {}").format(sql.SQL(" CROSS JOIN ").join(parts))


def unpack_together(row: Sequence[Any], queries: Mapping[str, Mapping[str, str]]) -> dict[str, Columns]:
    """Return the columns of each query from the row of :func:`together`.

    Raises:
        ValueError: a value is NULL.
    """
    columns_of_query, start = {}, 0
    for name, columns in queries.items():
        end = start + 1 + len(columns)
        columns_of_query[name] = unpack(row[start:end], columns)
        start = end
    return columns_of_query


def unpack(row: Sequence[Any], columns: Mapping[str, str]) -> Columns:
    """Return the columns of a packed row: the count, then one value per column.

    Raises:
        ValueError: a value is NULL.
    """
    count, packed = (row[0], row[1:]) if row else (0, (None,) * len(columns))
    result: Columns = {}
    for (name, kind), data in zip(columns.items(), packed, strict=True):
        _, form, native = _FORMS[kind]
        values = np.frombuffer(data or b"", dtype=form)
        if values.size != count:
            message = f"the query gives NULL in the column {name}"
            raise ValueError(message)
        result[name] = values.copy() if kind == "uuid" else values.astype(native)
        if kind == "date":
            is_infinite = (values == -(2**31)) | (values == 2**31 - 1)
            result[name] += np.where(is_infinite, 0, _DAYS_TO_2000).astype(np.int32)
    return result


def _packed(query: sql.Composed, columns: Mapping[str, str]) -> sql.Composed:
    from psycopg import sql  # the pure parts of this room import without the database driver

    names = [sql.Identifier(f"c{place}") for place in range(len(columns))]
    packs = [
        sql.SQL("string_agg({}({}), ''::bytea)").format(sql.Identifier(_FORMS[kind][0]), name)
        for name, kind in zip(names, columns.values(), strict=True)
    ]
    return sql.SQL("SELECT count(*), {} FROM ({}) AS q ({})").format(
        sql.SQL(", ").join(packs), query, sql.SQL(", ").join(names)
    )


def stamp_of(moment: datetime) -> int:
    """A moment as a ``stamp`` of :func:`fetch`: microseconds since 2000-01-01."""
    return (moment - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def local_days(stamps: npt.NDArray[np.int64], zone: str) -> npt.NDArray[np.int32]:
    """The day, in a time zone, of each moment (microseconds since 2000-01-01); infinities as in :func:`fetch`."""
    if stamps.size == 0:
        return np.zeros(0, dtype=np.int32)
    ends = {-(2**63): -(2**31), 2**63 - 1: 2**31 - 1}
    endless = [(stamps == moment, day) for moment, day in ends.items()]
    some = ~(endless[0][0] | endless[1][0])
    seconds = np.where(some, stamps, stamps[some][0] if some.any() else 0) // 1_000_000 + _SECONDS_TO_2000
    starts, offsets = _shifts(zone, int(seconds.min()), int(seconds.max()))
    if offsets.size == 1:
        seconds += offsets[0]
    else:
        seconds += offsets[np.searchsorted(starts, seconds, side="right") - 1]
    days = (seconds // _SECONDS_PER_DAY).astype(np.int32)
    for where, day in endless:
        days[where] = day
    return days


def _shifts(zone: str, first: int, last: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The offsets from UTC between two moments: when each begins (in seconds since 1970), and its seconds."""
    years = range(_year(first), _year(last) + 1)
    shifts = [shift for year in years for shift in _shifts_of(zone, year)]
    changes = [shift for place, shift in enumerate(shifts) if place == 0 or shift[1] != shifts[place - 1][1]]
    return np.array([at for at, _ in changes], dtype=np.int64), np.array(
        [offset for _, offset in changes], dtype=np.int64
    )


def _year(second: int) -> int:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).year


@lru_cache(maxsize=4096)
def _shifts_of(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """The offset at the start of a year and each change within it, searched day by day, then to the second."""
    place = ZoneInfo(zone)
    first = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    last = int(datetime(min(year, _LAST_YEAR) + 1, 1, 1, tzinfo=UTC).timestamp())

    def offset(second: int) -> int:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
        shift = moment.astimezone(place).utcoffset()
        return 0 if shift is None else int(shift.total_seconds())

    shifts = [(first, offset(first))]
    for day in range(first, last, _SECONDS_PER_DAY):
        following = min(day + _SECONDS_PER_DAY, last)
        if (new_offset := offset(following)) == shifts[-1][1]:
            continue
        low, high = day, following
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if offset(middle) == new_offset else (middle, high)
        shifts.append((high, new_offset))
    return tuple(shifts)


def places(sorted_uuids: npt.NDArray[np.bytes_], uuids: npt.NDArray[np.bytes_]) -> npt.NDArray[np.int64]:
    """The index of each UUID among the sorted ones; -1 where it is missing.

    Rows of one patient mostly lie together, so the search looks up each run of equal UUIDs once.
    """
    if sorted_uuids.size == 0 or uuids.size == 0:
        return np.full(uuids.size, -1, dtype=np.int64)
    halves = uuids.view(np.uint64).reshape(-1, 2)
    starts = np.flatnonzero(np.append(True, (halves[1:] != halves[:-1]).any(axis=1)))
    heads = uuids[starts]
    place = np.minimum(np.searchsorted(sorted_uuids, heads), sorted_uuids.size - 1)
    indices = np.where(sorted_uuids[place] == heads, place, -1).astype(np.int64)
    return np.repeat(indices, np.diff(np.append(starts, uuids.size)))
