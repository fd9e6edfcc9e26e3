"""What came of people who were scored alike on held-out time: the interval that goes with a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

BINS: Final = 10
FEWEST_PATIENTS: Final = 30
Z: Final = 1.959964
"""95 %."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reliability:
    """Bins of calibrated risk on held-out time, each with the share that interrupted and its 95 % interval.

    Attributes:
        edges: upper edges of all bins but the last.
        share, low, high: observed share of each bin and its interval (Wilson, with patients as the sample size, because one
            patient's decisions resemble each other).
        patients: patients of each bin.
    """

    edges: tuple[float, ...]
    share: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    patients: tuple[int, ...]

    def interval(self, risk: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Low and high of each risk's bin; missing where nothing was held out."""
        values = np.asarray(risk, dtype=np.float64)
        if not self.share:
            missing = np.full(values.shape, np.nan)
            return missing, missing
        place = np.searchsorted(self.edges, values, side="left")
        return np.asarray(self.low)[place], np.asarray(self.high)[place]

    def to_json(self) -> dict[str, Any]:
        """The bins as JSON."""
        return {name: list(getattr(self, name)) for name in ("edges", "share", "low", "high", "patients")}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Reliability:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: the lists do not fit together.
        """
        try:
            edges, share, low, high = (tuple(float(x) for x in value[k]) for k in ("edges", "share", "low", "high"))
            patients = tuple(int(x) for x in value["patients"])
        except (KeyError, TypeError) as error:
            message = f"not a table of reliability: {error}"
            raise ValueError(message) from error
        if {len(share), len(low), len(high), len(patients)} != {len(share)} or len(edges) != max(len(share) - 1, 0):
            message = "the table of reliability has columns of different lengths"
            raise ValueError(message)
        return cls(edges, share, low, high, patients)


EMPTY: Final = Reliability((), (), (), (), ())


def measure(risk: npt.ArrayLike, y: npt.ArrayLike, patient: npt.ArrayLike) -> Reliability:
    """Bins of equal size over held-out decisions; bins of few patients are joined with the next."""
    p, outcome, who = np.asarray(risk, dtype=np.float64), np.asarray(y, dtype=np.float64), np.asarray(patient)
    if p.size == 0:
        return EMPTY
    inner = np.unique(np.quantile(p, np.linspace(0, 1, BINS + 1)[1:-1]))
    place = np.searchsorted(inner, p, side="left")
    groups: list[list[int]] = [[]]
    for index in range(inner.size + 1):
        groups[-1].append(index)
        if np.unique(who[np.isin(place, groups[-1])]).size >= FEWEST_PATIENTS:
            groups.append([])
    left = groups.pop()
    if groups:
        groups[-1].extend(left)
    else:
        groups.append(left)
    rows = []
    for group in groups:
        inside = np.isin(place, group)
        patients = int(np.unique(who[inside]).size)
        rows.append((*_wilson(float(outcome[inside].mean()), patients), patients))
    share, low, high, count = zip(*rows, strict=True)
    edges = tuple(float(inner[group[-1]]) for group in groups[:-1])
    return Reliability(edges, share, low, high, count)


def _wilson(share: float, n: int) -> tuple[float, float, float]:
    """Share and Wilson's interval."""
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * np.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return share, float(max(0.0, middle - half)), float(min(1.0, middle + half))
