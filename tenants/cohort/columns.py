"""Read a query's rows as numpy columns: by a binary COPY of fixed-length rows, none of which passes through Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import sql

    from core.database import TenantSession

_HEADER: Final = 19
_TRAILER: Final = 2
_FORMS: Final[Mapping[str, str]] = {"uuid": "S16", "int4": ">i4", "int2": ">i2", "float8": ">f8", "bool": "u1"}
_NATIVE: Final[Mapping[str, type[np.generic]]] = {
    "int4": np.int32,
    "int2": np.int16,
    "float8": np.float64,
    "bool": np.bool_,
}

Columns = dict[str, npt.NDArray[Any]]


def fetch(session: TenantSession, query: sql.Composed, columns: Mapping[str, str]) -> Columns:
    """The rows of a query as columns.

    Args:
        session: the tenant's transaction.
        query: a SELECT whose columns are never NULL.
        columns: name -> type (``uuid``, ``int4``, ``int2``, ``float8``, ``bool``), in the query's order. UUIDs come as
            ``S16``, which sorts and compares as PostgreSQL does.

    Raises:
        ValueError: a row does not have this form: a NULL, or another type than said.
    """
    parts: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in columns.items():
        parts += [(f"{name} length", ">i4"), (name, _FORMS[kind])]
    form = np.dtype(parts)
    with session.cursor() as cursor, cursor.copy(_copy(query)) as copy:
        data = b"".join(bytes(block) for block in copy)
    rows, rest = divmod(len(data) - _HEADER - _TRAILER, form.itemsize)
    table = np.frombuffer(data, dtype=form, count=max(rows, 0), offset=_HEADER)
    if rest or not _well_formed(table, form, columns):
        message = f"the query's rows are not ({', '.join(columns.values())}) without NULL"
        raise ValueError(message)
    return {name: table[name].astype(_NATIVE.get(kind, table[name].dtype)) for name, kind in columns.items()}


def _copy(query: sql.Composed) -> sql.Composed:
    from psycopg import sql

    return sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(query)


def _well_formed(table: npt.NDArray[Any], form: np.dtype[Any], columns: Mapping[str, str]) -> bool:
    sizes = all(bool((table[f"{name} length"] == form[name].itemsize).all()) for name in columns)
    return sizes and bool((table["fields"] == len(columns)).all())


def places(known: npt.NDArray[np.bytes_], wanted: npt.NDArray[np.bytes_]) -> npt.NDArray[np.int64]:
    """The place of each wanted UUID among the known ones, which are sorted; -1 where it is not there."""
    if known.size == 0:
        return np.full(wanted.size, -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(known, wanted), known.size - 1)
    return np.where(known[place] == wanted, place, -1).astype(np.int64)
