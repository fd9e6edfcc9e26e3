"""Rows for PostgreSQL's binary COPY, made of whole columns: no row passes through Python but for texts that differ.

The form is PostgreSQL's (manual, COPY, "Binary Format"): per row the number of fields, then per field its length and
its bytes, all big-endian.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL: Final = b"\xff\xff"
NULL: Final = -1
_EPOCH_DAYS: Final = 10_957
_JSONB: Final = b"\x01"


def text(value: str | None) -> bytes | None:
    """A text that is the same in all rows."""
    return None if value is None else value.encode()


def days(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Day numbers since 1970 as dates."""
    return (values.astype(np.int64) - _EPOCH_DAYS).astype(">i4")


def floats(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Numbers as ``float8``."""
    return values.astype(">f8")


def whole(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Numbers as ``int4``."""
    return values.astype(">i4")


def flags(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Truth as ``bool``."""
    return values.astype("u1")


def moment(microseconds: int) -> bytes:
    """A ``timestamptz``, from microseconds since 1970, the same in all rows."""
    return (microseconds - _EPOCH_DAYS * 86_400_000_000).to_bytes(8, "big", signed=True)


def new_uuids(count: int) -> npt.NDArray[Any]:
    """Fresh UUIDv7 (RFC 9562 section 5.7), 16 bytes each: the milliseconds of now, the rest random."""
    made = np.frombuffer(bytearray(os.urandom(16 * count)), dtype="u1").reshape(count, 16)
    made[:, :6] = np.frombuffer(int(time.time() * 1000).to_bytes(6, "big"), dtype="u1")
    made[:, 6] = made[:, 6] & 0x0F | 0x70
    made[:, 8] = made[:, 8] & 0x3F | 0x80
    return made.reshape(-1).view("V16")


def rows(count: int, columns: Mapping[str, Any], jsons: Sequence[bytes] | None) -> bytes:
    """So many rows, without head and tail of the COPY.

    Args:
        count: rows.
        columns: in the order of the COPY: bytes that are the same in all rows (None: NULL), or an array of them.
        jsons: each row's JSON, in the column that comes last in the COPY; None where it is NULL in all rows.
    """
    form: list[tuple[str, Any]] = [("fields", ">i2")]
    for name, value in columns.items():
        form.append((f"{name}:length", ">i4"))
        if isinstance(value, bytes):
            form.append((name, f"V{len(value)}"))
        elif value is not None:
            form.append((name, value.dtype))
    form.append(("json:length", ">i4"))
    made = np.zeros(count, dtype=form)
    made["fields"] = len(columns) + 1
    for name, value in columns.items():
        made[f"{name}:length"] = NULL if value is None else len(value) if isinstance(value, bytes) else value.itemsize
        if isinstance(value, bytes):
            made[name] = np.void(value)
        elif value is not None:
            made[name] = value
    if jsons is None:
        made["json:length"] = NULL
        return made.tobytes()
    made["json:length"] = [len(json) + 1 for json in jsons]
    size, packed = made.dtype.itemsize, made.tobytes()
    parts = (
        part for place, json in enumerate(jsons) for part in (packed[place * size : (place + 1) * size], _JSONB, json)
    )
    return b"".join(parts)
