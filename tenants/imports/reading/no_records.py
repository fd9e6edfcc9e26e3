"""Recognise rows of a table that are not records: totals and repeated headings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date

from tenants.imports.reading.values import clean

_WORDS = "total|totals|totale?s?|totaux|totais|sub ?totals?|sous ?tota(?:l|ux)|sum|somme|soma"
_TOTAL = re.compile(rf"\b(?:{_WORDS})\b")
_IS_TOTAL = re.compile(
    rf"(?:(?:grand|grande|overall|final) )?(?:{_WORDS})"
    r"(?: (?:general|generale|geral|final|number|nombre|numero|count|of|de|des|dos|du|da|do|all|tous|todos|patients?"
    r"|pacientes?|clients?|clientes?|utentes|people|persons?|personnes?|pessoas?|malades?|doentes?|records?|rows?"
    r"|lignes?|linhas?|n))*"
    r"(?: ?[:=(]? ?\d[\d ,.]*\)?)?$"
)
"""A total in English, French or Portuguese, with or without the count."""
_BEGINS = "tsgofTSGOF"
"""The letters that totals begin with: the first letter decides for most rows."""
_DAY = re.compile(r"\b(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/. ](?:\d{1,2}|[^\W\d]{3,9}\.?)[-/. ,]+\d{2,4})\b")
_NUMBER = re.compile(r"[+-]?\d[\d ,.]*%?$")
_FIRST_SERIAL, _LAST_SERIAL = 3654, 109_574
"""The range of day numbers in a column of dates: 1910 to 2199. Other numbers there may be counts of rows."""
_MOST_SUSPECTS = 10_000
"""Number of first cells whose result is cached."""


def fold(heading: object) -> str:
    """A heading without the parts that people vary: case, spaces, dots, underscores, dashes."""
    return "".join(character for character in str(heading or "").casefold() if character.isalnum())


class NoRecord:
    """Recognises rows that are a total or repeated headings, which lists compiled by hand have.

    A row with a day is never a total, so that a person whose name is the word for a total is not lost.

    Args:
        headings: the headings of the table.
        identifiers: the columns that identify the person.
        days: the columns that hold dates.
    """

    def __init__(self, headings: Sequence[str], identifiers: Sequence[int] = (), days: Sequence[int] = ()) -> None:
        self._folded = [(at, fold(heading)) for at, heading in enumerate(headings) if heading]
        self._first = self._folded[0] if self._folded else (0, "")
        self._identifiers, self._days = tuple(identifiers), frozenset(days)
        self._suspects: dict[str, bool] = {}

    def __call__(self, cells: Sequence[object]) -> bool:
        """Whether a row is a total or repeats the headings."""
        blank = bool(self._identifiers)
        for at in self._identifiers:
            cell = cells[at] if at < len(cells) else None
            if isinstance(cell, str) and (cell[:1] in _BEGINS or not cell.isascii()) and _is_total(cell):
                return not self._has_day(cells)
            blank = blank and (cell is None or cell == "")
        if blank:
            return self._is_sum(cells) or self._repeats(cells)
        first = next((cell for cell in cells if cell is not None and cell != ""), None)
        if not isinstance(first, str):
            return False
        # The first cells of rows repeat codes and names.
        suspect = self._suspects.get(first)
        if suspect is None:
            suspect = _is_total(first) or fold(first) == self._first[1]
            if len(self._suspects) < _MOST_SUSPECTS:
                self._suspects[first] = suspect
        return suspect and (self._repeats(cells) or (_is_total(first) and self._is_sum(cells)))

    def _is_sum(self, cells: Sequence[object]) -> bool:
        """Whether a row is a total: it identifies nobody, has no day, and has the word for a total or only numbers."""
        there = [cell for cell in cells if cell is not None and cell != ""]
        if any(isinstance(cells[at], str) and not _NUMBER.match(clean(str(cells[at]))) for at in self._named(cells)):
            return False
        return (
            bool(there)
            and (all(map(_is_number, there)) or any(isinstance(cell, str) and _names_total(cell) for cell in there))
            and not self._has_day(cells)
        )

    def _named(self, cells: Sequence[object]) -> list[int]:
        """The identifier columns with a value other than the word for a total."""
        return [
            at
            for at in self._identifiers
            if at < len(cells) and cells[at] not in (None, "") and not _is_total(str(cells[at]))
        ]

    def _has_day(self, cells: Sequence[object]) -> bool:
        return any(
            isinstance(cell, date)
            or (isinstance(cell, str) and _DAY.search(cell) is not None)
            or (at in self._days and _is_serial(cell))
            for at, cell in enumerate(cells)
        )

    def _repeats(self, cells: Sequence[object]) -> bool:
        pairs = [(heading, fold(cells[at])) for at, heading in self._folded if at < len(cells)]
        return len(pairs) > 1 and all(heading == cell for heading, cell in pairs)


def _plain(text: str) -> str:
    """A text in lower case without accents or a colon at the end, and with spaces in place of dashes."""
    decomposed = unicodedata.normalize("NFKD", clean(text).casefold())
    return clean("".join(c for c in decomposed if not unicodedata.combining(c)).replace("-", " ").rstrip(":"))


def _is_total(cell: str) -> bool:
    # Codes such as SUM-0012 identify people.
    return not re.search(r"\S[-/]\d", cell) and _IS_TOTAL.match(_plain(cell)) is not None


def _names_total(cell: str) -> bool:
    return _TOTAL.search(_plain(cell)) is not None


def _is_number(cell: object) -> bool:
    if isinstance(cell, str):
        return _NUMBER.match(clean(cell)) is not None
    return isinstance(cell, int | float)


def _is_serial(cell: object) -> bool:
    try:
        return not isinstance(cell, bool) and _FIRST_SERIAL <= float(cell) <= _LAST_SERIAL  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
