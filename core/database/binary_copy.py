"""PostgreSQL's binary COPY: values as fields, whole columns as rows.

A stream is ``HEADER``, rows, ``TRAILER``. A row is the number of its fields, then its fields. A field is its length in
four bytes, then its value, all big-endian (PostgreSQL's manual, COPY, "Binary Format"). ``field`` encodes one value;
``rows`` encodes arrays without a step through Python for each row.
"""

from __future__ import annotations

import os
import struct
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy.typing as npt
    from psycopg import Copy

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
NULL: Final = b"\xff\xff\xff\xff"
SIXTEEN: Final = struct.pack(">i", 16)
"""The length of a UUID, a blind index or a fingerprint."""

_EPOCH: Final = date(2000, 1, 1).toordinal()
_INSTANT: Final = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_DAYS: Final = 10_957
"""Days from 1970, where arrays of days begin, to PostgreSQL's epoch."""
_JSONB: Final = b"\x01"
_INT2, _INT4, _INT8, _FLOAT8 = struct.Struct(">ih"), struct.Struct(">ii"), struct.Struct(">iq"), struct.Struct(">id")


def _date(value: date) -> bytes:
    return _INT4.pack(4, value.toordinal() - _EPOCH)


def _timestamptz(value: datetime) -> bytes:
    passed = value - _INSTANT
    return _INT8.pack(8, (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds)


def _bytes(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


_ENCODERS: Final[Mapping[str, Callable[..., bytes]]] = {
    "uuid": lambda value: SIXTEEN + value.bytes,
    "text": lambda value: _bytes(value.encode()),
    "bytea": _bytes,
    "bool": lambda value: b"\0\0\0\1" + bytes((value,)),
    "int2": lambda value: _INT2.pack(2, value),
    "int4": lambda value: _INT4.pack(4, value),
    "int8": lambda value: _INT8.pack(8, value),
    "float8": lambda value: _FLOAT8.pack(8, value),
    "date": _date,
    "timestamptz": _timestamptz,
}

_ARRAYS: Final[Mapping[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]]] = {
    "bool": lambda values: values.astype("u1"),
    "int4": lambda values: values.astype(">i4"),
    "float8": lambda values: values.astype(">f8"),
    "date": lambda values: (values.astype(np.int64) - _EPOCH_DAYS).astype(">i4"),
}


def field(kind: str, value: object) -> bytes:
    """Return a value of a PostgreSQL type as a field; None is ``NULL``."""
    return NULL if value is None else _ENCODERS[kind](value)


def fields(kinds: Iterable[str], values: Iterable[object]) -> bytes:
    """Return several fields, one after the other."""
    return b"".join(map(field, kinds, values))


def row_of(count: int) -> bytes:
    """The beginning of a row of ``count`` fields."""
    return struct.pack(">h", count)


def column(kind: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array as a column for ``rows``; a ``date`` is the number of days since 1970."""
    return _ARRAYS[kind](values)


def new_uuids(count: int) -> npt.NDArray[Any]:
    """A column of fresh UUIDv7 (RFC 9562 section 5.7): the milliseconds of now, the rest random."""
    uuids = np.frombuffer(bytearray(os.urandom(16 * count)), dtype="u1").reshape(count, 16)
    uuids[:, :6] = np.frombuffer(int(time.time() * 1000).to_bytes(6, "big"), dtype="u1")
    uuids[:, 6] = uuids[:, 6] & 0x0F | 0x70
    uuids[:, 8] = uuids[:, 8] & 0x3F | 0x80
    return uuids.reshape(-1).view("V16")


def rows(count: int, columns: Mapping[str, bytes | npt.NDArray[Any]], jsons: Sequence[bytes] | None) -> bytes:
    """Encode ``count`` rows.

    Args:
        count: the number of rows.
        columns: in the order of the COPY: a field that is the same in all rows, or an array (``column``) of values.
        jsons: the JSON of each row, for a ``jsonb`` column that comes last in the COPY; None: NULL in all rows.
    """
    form: list[tuple[str, Any]] = [("fields", ">i2")]
    for name, value in columns.items():
        if isinstance(value, bytes):
            form.append((name, f"V{len(value)}"))
        else:
            form += [(f"{name}:length", ">i4"), (name, value.dtype)]
    form.append(("json:length", ">i4"))
    table = np.zeros(count, dtype=form)
    table["fields"] = len(columns) + 1
    for name, value in columns.items():
        if isinstance(value, bytes):
            table[name] = np.void(value)
        else:
            table[f"{name}:length"] = value.itemsize
            table[name] = value
    if jsons is None:
        table["json:length"] = -1
        return table.tobytes()
    table["json:length"] = [len(json) + 1 for json in jsons]
    size, packed = table.dtype.itemsize, table.tobytes()
    parts = (
        part for place, json in enumerate(jsons) for part in (packed[place * size : (place + 1) * size], _JSONB, json)
    )
    return b"".join(parts)


def write(copy: Copy, parts: Iterable[bytes]) -> None:
    """Write a whole stream of rows to a COPY with ``FORMAT BINARY``."""
    copy.write(HEADER)
    for part in parts:
        copy.write(part)
    copy.write(TRAILER)
