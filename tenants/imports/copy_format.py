"""Values as PostgreSQL's binary COPY takes them: the length of a field in four bytes, then the field."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
SIXTEEN = struct.pack(">i", 16)
"""The length of a UUID, a blind index or a fingerprint."""

_EPOCH = date(2000, 1, 1).toordinal()
_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
_INT2, _INT4, _INT8, _FLOAT8 = struct.Struct(">ih"), struct.Struct(">ii"), struct.Struct(">iq"), struct.Struct(">id")


def _date(value: date) -> bytes:
    return _INT4.pack(4, value.toordinal() - _EPOCH)


def _timestamptz(value: datetime) -> bytes:
    passed = value - _INSTANT
    return _INT8.pack(8, (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds)


def _bytes(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


ENCODERS: Mapping[str, Callable[..., bytes]] = {
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
"""By type: the field of a value that is there."""


def field(kind: str, value: object) -> bytes:
    """A value as a field, also where it is missing."""
    return NULL if value is None else ENCODERS[kind](value)


def fields(kinds: Iterable[str], values: Iterable[object]) -> bytes:
    """Several fields, one behind the other."""
    return b"".join(map(field, kinds, values))


def row_of(count: int) -> bytes:
    """What begins a row of so many fields."""
    return struct.pack(">h", count)
