"""Tells rows of a table that are none of a record: totals, and the headings once more."""

from __future__ import annotations

from collections.abc import Sequence

from tenants.imports.reading.values import clean

TOTALS = frozenset({"total", "totals", "grand total", "sub total", "subtotal", "sum", "total:", "sum:"})


def fold(heading: object) -> str:
    """A heading without what people vary: case, spaces, dots, underscores, dashes."""
    return "".join(character for character in str(heading or "").casefold() if character.isalnum())


class NoRecord:
    """Tells rows that are a total, or the headings once more, as lists have that were put together by hand.

    Args:
        headings: of the table.
    """

    def __init__(self, headings: Sequence[str]) -> None:
        self._folded = [(at, fold(heading)) for at, heading in enumerate(headings) if heading]
        self._first = self._folded[0] if self._folded else (0, "")
        self._suspects: dict[str, bool] = {}

    def __call__(self, cells: Sequence[object]) -> bool:
        """Whether a row is none of a record."""
        first = next((cell for cell in cells if cell is not None and cell != ""), None)
        at, heading = self._first
        if not isinstance(first, str) or at >= len(cells):
            return False
        found = cells[at]
        if first is not found:
            return self._is_total(first) or (fold(found) == heading and self._repeats(cells))
        # Rows begin with codes and names that come again and again.
        suspect = self._suspects.get(first)
        if suspect is None:
            suspect = self._is_total(first) or fold(first) == heading
            if len(self._suspects) < _MOST_SUSPECTS:
                self._suspects[first] = suspect
        return suspect and (self._is_total(first) or self._repeats(cells))

    @staticmethod
    def _is_total(first: str) -> bool:
        return (first[:1] in "tsgoTSGO" or not first[:1].isascii()) and clean(first).casefold() in TOTALS

    def _repeats(self, cells: Sequence[object]) -> bool:
        told = [(heading, fold(cells[at])) for at, heading in self._folded if at < len(cells)]
        return len(told) > 1 and all(heading == cell for heading, cell in told)


_MOST_SUSPECTS = 10_000
"""First cells whose look is remembered."""
