"""Read a query's rows as numpy columns: PostgreSQL packs each into one value, so that no row passes through Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import sql

    from core.database import TenantSession

_FORMS: Final[Mapping[str, tuple[str, str, type[np.generic]]]] = {
    "uuid": ("uuid_send", "S16", np.bytes_),
    "int4": ("int4send", ">i4", np.int32),
    "int2": ("int2send", ">i2", np.int16),
    "float8": ("float8send", ">f8", np.float64),
    "bool": ("boolsend", "u1", np.bool_),
}
"""Type -> PostgreSQL's function that packs it, how numpy reads that, and what it becomes."""

Columns = dict[str, npt.NDArray[Any]]


def fetch(session: TenantSession, query: sql.Composed, columns: Mapping[str, str]) -> Columns:
    """The rows of a query as columns. A chunk's worth: a packed column is a value of 1 GB at most.

    Args:
        session: the tenant's transaction.
        query: a SELECT of these columns, never NULL.
        columns: name -> type (``uuid``, ``int4``, ``int2``, ``float8``, ``bool``), in the query's order. UUIDs come as
            ``S16``, which sorts and compares as PostgreSQL does.

    Raises:
        ValueError: a value is NULL.
    """
    with session.cursor() as cursor:
        cursor.execute(_packed(query, columns), binary=True)
        row = cursor.fetchone()
    count, packed = (row[0], row[1:]) if row is not None else (0, ())
    found: Columns = {}
    for (name, kind), data in zip(columns.items(), packed, strict=True):
        _, form, native = _FORMS[kind]
        values = np.frombuffer(data or b"", dtype=form)
        if values.size != count:
            message = f"the query gives NULL in the column {name}"
            raise ValueError(message)
        found[name] = values.copy() if kind == "uuid" else values.astype(native)
    return found


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


def places(known: npt.NDArray[np.bytes_], wanted: npt.NDArray[np.bytes_]) -> npt.NDArray[np.int64]:
    """The place of each wanted UUID among the known ones, which are sorted; -1 where it is not there."""
    if known.size == 0:
        return np.full(wanted.size, -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(known, wanted), known.size - 1)
    return np.where(known[place] == wanted, place, -1).astype(np.int64)
