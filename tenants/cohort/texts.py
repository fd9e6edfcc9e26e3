"""Regimens and lines of contacts as codes: the two texts of a contact travel as one number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.database import TenantSession

TEXTS: Final = sql.SQL("coalesce(hashtextextended(t.regimen, 0), 0) # coalesce(hashtextextended(t.regimen_line, 1), 0)")
"""One number for the two texts of a contact: comparing texts row by row costs more than all else of it."""
CONTACT_TEXTS: Final = sql.SQL(
    "SELECT DISTINCT {texts}, t.regimen, t.regimen_line FROM contacts AS t WHERE {range}"
    " AND (t.regimen IS NOT NULL OR t.regimen_line IS NOT NULL)"
)


class Texts:
    """Regimens met so far and their codes, kept from chunk to chunk; the two texts of a contact are one number."""

    def __init__(self) -> None:
        self.regimens: dict[str, int] = {}
        self.lines: dict[str, int] = {}
        self._codes: dict[int, tuple[int, int]] = {0: (-1, -1)}

    def learn(self, rows: Iterable[tuple[int, str | None, str | None]]) -> None:
        """Take numbers with their two texts."""
        for number, regimen, line in rows:
            self._codes[number] = (_code(self.regimens, regimen), _code(self.lines, line))

    def codes(
        self, session: TenantSession, numbers: npt.NDArray[np.int64], bounds: sql.Composable
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Codes of regimen and line of each number; unknown ones are read from the rows within the bounds."""
        runs = _runs(numbers)
        if any(number not in self._codes for number in runs[1].tolist()):
            with session.cursor() as cursor:
                self.learn(cursor.execute(CONTACT_TEXTS.format(texts=TEXTS, range=bounds)).fetchall())
        return self._spread(numbers, runs)

    def learned(self, numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Codes of regimen and line of each number, all of them known."""
        return self._spread(numbers, _runs(numbers))

    def _spread(
        self, numbers: npt.NDArray[np.int64], runs: Runs
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        starts, different, place = runs
        pairs = np.array([self._codes[number] for number in different.tolist()] or [(-1, -1)], dtype=np.int32)
        row = np.repeat(place.reshape(-1), np.diff(np.append(starts, numbers.size)))
        return pairs[row, 0], pairs[row, 1]


Runs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Where runs of equal numbers begin, the numbers that differ, and which of them each run is."""


def _runs(numbers: npt.NDArray[np.int64]) -> Runs:
    starts = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1])) if numbers.size else numbers
    different, place = np.unique(numbers[starts], return_inverse=True)
    return starts, different, place


def _code(codes: dict[str, int], text: str | None) -> int:
    return -1 if text is None else codes.setdefault(text, len(codes))
