"""Regimens and lines of contacts as codes. The two texts of a contact travel as one number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.database import TenantSession

TEXTS: Final = sql.SQL("coalesce(hashtextextended(t.regimen, 0), 0) # coalesce(hashtextextended(t.regimen_line, 1), 0)")
"""One number for the two texts of a contact: comparing texts row by row costs more than all its other columns."""
CONTACT_TEXTS: Final = sql.SQL(
    "SELECT DISTINCT {texts}, t.regimen, t.regimen_line FROM contacts AS t WHERE {range}"
    " AND (t.regimen IS NOT NULL OR t.regimen_line IS NOT NULL)"
)


class Texts:
    """Codes of the regimens and lines read so far, kept from chunk to chunk."""

    def __init__(self) -> None:
        self.regimens: dict[str, int] = {}
        self.lines: dict[str, int] = {}
        self._codes: dict[int, tuple[int, int]] = {0: (-1, -1)}

    def learn(self, rows: Iterable[tuple[int, str | None, str | None]]) -> None:
        """Store numbers with their two texts."""
        for number, regimen, line in rows:
            self._codes[number] = (_code(self.regimens, regimen), _code(self.lines, line))

    def codes(
        self, session: TenantSession, numbers: npt.NDArray[np.int64], bounds: sql.Composable
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Codes of regimen and line of each number. Unknown numbers are read from the rows within the bounds."""
        runs = _runs(numbers)
        if any(number not in self._codes for number in runs[1].tolist()):
            with session.cursor() as cursor:
                self.learn(cursor.execute(CONTACT_TEXTS.format(texts=TEXTS, range=bounds)).fetchall())
        return self._distinct(numbers, runs)

    def learned(self, numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Codes of regimen and line of each number; all numbers must be known."""
        return self._distinct(numbers, _runs(numbers))

    def _distinct(
        self, numbers: npt.NDArray[np.int64], runs: Runs
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        starts, different, place = runs
        pairs = np.array([self._codes[number] for number in different.tolist()] or [(-1, -1)], dtype=np.int32)
        row = np.repeat(place.reshape(-1), np.diff(np.append(starts, numbers.size)))
        return pairs[row, 0], pairs[row, 1]


Runs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Starts of runs of equal numbers, the distinct numbers, and the index of each run's number."""


def _runs(numbers: npt.NDArray[np.int64]) -> Runs:
    starts = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1])) if numbers.size else numbers
    different, place = np.unique(numbers[starts], return_inverse=True)
    return starts, different, place


def _code(codes: dict[str, int], text: str | None) -> int:
    return -1 if text is None else codes.setdefault(text, len(codes))
