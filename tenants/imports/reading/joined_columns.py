"""Join columns of cells row by row, to the content of fingerprints and to fields in COPY's binary format."""

from __future__ import annotations

from functools import cache
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING

from core.database import binary_copy
from tenants.imports.slots import MODELS, fields_in_order
from tenants.records.upsert_stage import shape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tenants.imports.reading.cells import Cell

_WIRE, _JSON, _DAY = attrgetter("wire"), attrgetter("json"), attrgetter("day")


def fields(cells: Iterable[Cell]) -> list[bytes]:
    """A column in COPY's binary format."""
    return list(map(_WIRE, cells))


def days(cells: Iterable[Cell]) -> list[bytes]:
    """The days of the facts of a column, in COPY's binary format."""
    return list(map(_DAY, cells))


def fingerprint_parts(kind: str, fields: dict[str, list[Cell]], count: int) -> list[bytes]:
    """The part of each row's fingerprint after the patient."""
    parts: list[Iterable[bytes]] = [repeat(b",", count)]
    for name in fingerprint_order(kind)[1:]:
        parts += [map(_JSON, fields[name]) if name in fields else repeat(b"null"), repeat(b",")]
    parts[-1] = repeat(b"]")
    return list(map(b"".join, zip(*parts, strict=False)))


def content(kind: str, fields: dict[str, list[Cell]], count: int) -> list[bytes]:
    """Each row's last fields, in COPY's binary format. Successive columns without values are written as one piece."""
    parts: list[Iterable[bytes]] = [repeat(b"", count)]
    empty = 0
    for field_name in fields_in_order(kind):
        if field_name is not None and field_name in fields:
            if empty:
                parts.append(repeat(binary_copy.NULL * empty))
                empty = 0
            parts.append(map(_WIRE, fields[field_name]))
        else:
            empty += 1
    if empty:
        parts.append(repeat(binary_copy.NULL * empty))
    return list(map(b"".join, zip(*parts, strict=False)))


@cache
def fingerprint_order(kind: str) -> tuple[str, ...]:
    """The content columns of a kind's table in the order in which they enter the fingerprint."""
    form = shape(MODELS[kind])
    return tuple(form.columns[at] for at in form.hashed)
