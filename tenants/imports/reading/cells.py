"""Converted cells, and the check for odd cells.

An odd cell may be wrong. Its row is odd too: it is read by itself, which rejects it or not, and gives the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

from core.database import binary_copy
from tenants.imports.plausibility import RULES
from tenants.imports.reading.values import BadValueError
from tenants.records.storable import field_problem


class Cell(NamedTuple):
    """A converted cell.

    Attributes:
        value: its value.
        wire: its field in COPY's binary format.
        json: its text in the fingerprint.
        key: its text in a key.
        day: the field of the day on which it happened.
    """

    value: Any
    wire: bytes
    json: bytes
    key: str
    day: bytes


ABSENT = Cell(None, binary_copy.NULL, b"null", "", binary_copy.NULL)
ODD = Cell(BadValueError("", ""), binary_copy.NULL, b"null", "", binary_copy.NULL)
"""Marks a cell that cannot be converted: its row is read by itself."""


def odd_rows(kind: str, fields: Mapping[str, list[Any]], data_date: date) -> Iterable[int]:
    """The places of rows that break a rule of several fields (``plausibility.RULES``)."""
    for rule in RULES.get(kind, ()):
        columns = [fields.get(name) for name in (rule.field, *rule.beside)]
        if not rule.beside or any(column is None for column in columns):
            continue
        for at, cells in enumerate(zip(*columns, strict=True)):
            if ODD in cells or ABSENT in cells:
                continue
            if rule.problem(tuple(map(_plain, cells)), data_date) is not None:
                yield at


def odd_value(kind: str, field: str, value: object, data_date: date) -> bool:
    """Whether a value cannot be stored or breaks a rule by itself."""
    if isinstance(value, str) and field_problem(kind, field, value) is not None:
        return True
    return any(
        rule.problem((value,), data_date) is not None
        for rule in RULES.get(kind, ())
        if rule.field == field and not rule.beside
    )


def _plain(cell: Cell) -> object:
    """The value of a cell; of a result, its number."""
    return cell.value[0] if isinstance(cell.value, tuple) else cell.value
