"""Converted cells, and which rows of them are odd by what two cells say together (``plausibility``, column by column).

A row is odd where the careful way might refuse it: that way then says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

from tenants.imports import copy_format
from tenants.imports.plausibility import CODED, RANGES
from tenants.imports.reading.values import BadValueError


class Cell(NamedTuple):
    """A converted cell.

    Attributes:
        value: what it says.
        wire: its field, as COPY takes it.
        json: its text in the fingerprint.
        key: its text in a key.
        day: the field of the day on which it happened.
    """

    value: Any
    wire: bytes
    json: bytes
    key: str
    day: bytes


ABSENT = Cell(None, copy_format.NULL, b"null", "", copy_format.NULL)
ODD = Cell(BadValueError("", ""), copy_format.NULL, b"null", "", copy_format.NULL)
"""Stands where a cell cannot be converted: its row goes the careful way."""


def _odd_visits(fields: Mapping[str, list[Any]], _count: int, _data_date: date) -> Iterable[int]:
    pairs = zip(fields["date_started"], fields.get("date_stopped", ()), strict=False)
    return [at for at, (began, ended) in enumerate(pairs) if ended.wire != copy_format.NULL and _before(ended, began)]


def _odd_appointments(fields: Mapping[str, list[Any]], count: int, data_date: date) -> Iterable[int]:
    statuses = fields.get("status") or [ABSENT] * count
    return [
        at
        for at, (booked, due, status) in enumerate(zip(fields["booked_on"], fields["due_date"], statuses, strict=True))
        if _before(due, booked) or (status.value in ("kept", "missed") and not _on_or_before(due, data_date))
    ]


def _odd_observations(fields: Mapping[str, list[Any]], count: int, _data_date: date) -> Iterable[int]:
    numbers = fields.get("value_numeric") or [ABSENT] * count
    codes = fields.get("value_coded") or [ABSENT] * count
    found = []
    for at, (name, number, code) in enumerate(zip(fields["variable_name"], numbers, codes, strict=True)):
        limits = RANGES.get(name.value) if isinstance(name.value, str) else None
        measured = limits is not None and number.value is not None and number is not ODD
        if limits is not None and measured and not limits[0] <= number.value[0] <= limits[1]:
            found.append(at)
        known = CODED.get(name.value) if isinstance(name.value, str) else None
        if known is not None and code.value is not None and code.value not in known:
            found.append(at)
    return found


def _before(one: Cell, other: Cell) -> bool:
    """Whether a day lies before another; what is no day is odd already."""
    return isinstance(one.value, date) and isinstance(other.value, date) and one.value < other.value


def _on_or_before(one: Cell, day: date) -> bool:
    return isinstance(one.value, date) and one.value <= day


ODD_ROWS: dict[str, Callable[[Mapping[str, list[Any]], int, date], Iterable[int]]] = {
    "visits": _odd_visits,
    "appointments": _odd_appointments,
    "observations": _odd_observations,
}
