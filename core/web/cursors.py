"""Sort orders and cursors of lists: ``sort=-date_started``, and ``after``, the opaque start of the next page.

A cursor contains the sort order, the page number, and the sort value and identifier of the last row before the page. A
list that continues after such a row (a keyset) reads its ten thousandth page as fast as its first.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson

from core.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = str | int | float | date | datetime | UUID
Key = tuple[Value, Value]
"""The sort value and the identifier of the last row of a page."""

LARGEST_INTEGER: Final = 2**63 - 1
CURSOR_MAX: Final = 4_000
"""Most characters of a cursor."""


@dataclass(frozen=True, slots=True)
class Sort:
    """The order of a list: a field, and whether its largest value comes first."""

    field: str
    descending: bool = False

    @classmethod
    def parse(cls, text: str) -> Sort:
        """Return the order that ``sort`` names: a field, with ``-`` before it for descending."""
        return cls(text.removeprefix("-"), descending=text.startswith("-"))

    def __str__(self) -> str:
        return f"-{self.field}" if self.descending else self.field


@dataclass(frozen=True, slots=True)
class Cursor:
    """The start of a page: the row after the row with this key."""

    sort: Sort
    page: int
    key: Key

    def encode(self) -> str:
        """Return the cursor as text, for callers of the API."""
        parts = [str(self.sort), self.page, *(_text(value) for value in self.key)]
        return urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def decode(text: str, sort: Sort, types: Mapping[str, type], identity: type, page_max: int) -> Cursor:
    """Return the cursor that ``after`` contains.

    Args:
        text: as ``Cursor.encode`` wrote it.
        sort: the order that the request asks for.
        types: type of each field by which the list can be sorted.
        identity: type of the rows' identifiers.
        page_max: the largest page number.

    Raises:
        Invalid: the text is not a cursor of this list in this order.
    """
    try:
        order, page, value, identifier = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        key = (_value(value, types[sort.field]), _value(identifier, identity))
        intact = type(page) is int and 1 < page <= page_max and isinstance(order, str)
    except (ValueError, TypeError, KeyError, OverflowError, binascii.Error):
        intact = False
    if not intact or len(text) > CURSOR_MAX:
        raise _rejected("is not a cursor of this list")
    if order != str(sort):
        raise _rejected("belongs to another sort order")
    return Cursor(sort, page, key)


def _rejected(problem: str) -> Invalid:
    remedy = "Send `after` and `sort` as the `next` link has them, or leave `after` out to begin at the first page."
    detail = "not valid: query.after"
    return Invalid(detail, errors=[FieldError("query.after", problem, remedy)])


def _text(value: Value) -> str | int | float:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _value(text: Any, kind: type) -> Value:  # noqa: ANN401 - whatever the caller's JSON holds
    """Return the value of one part of a cursor.

    Raises:
        ValueError: the value has another type, or PostgreSQL cannot store it.
    """
    if kind is int:
        if type(text) is int and abs(text) <= LARGEST_INTEGER:
            return text
    elif kind is float:
        if type(text) in {int, float}:
            return float(text)
    elif isinstance(text, str) and "\x00" not in text:
        value: Value = text if kind is str else UUID(text) if kind is UUID else kind.fromisoformat(text)  # type: ignore[attr-defined]
        if not isinstance(value, datetime) or value.tzinfo is not None:
            return value
    raise ValueError(kind)
