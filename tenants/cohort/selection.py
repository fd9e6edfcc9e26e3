"""Filters of indicators: one facility, one sex, one age band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from core.errors import FieldError, Invalid, phrase
from tenants.cohort.calendar import AGE_BANDS, NOT_RECORDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Row = tuple[dict[str, str], dict[str, int]]
SEXES: Final = ("F", "M", NOT_RECORDED)
AGES: Final = (*AGE_BANDS, NOT_RECORDED)


@dataclass(frozen=True, slots=True)
class Selection:
    """The group of people that a report is about. None selects everybody.

    Attributes:
        facility: DATIM id.
        sex: one of SEXES.
        age: one of AGES.
    """

    facility: str | None = None
    sex: str | None = None
    age: str | None = None

    @property
    def labels(self) -> dict[str, str]:
        """The selected label of each dimension that selects."""
        chosen = {"facility": self.facility, "sex": self.sex, "age": self.age}
        return {name: label for name, label in chosen.items() if label is not None}

    def dimensions(self, by: Sequence[str]) -> tuple[str, ...]:
        """The dimensions by which to count, so that :meth:`rows` can select."""
        return (*by, *(name for name in self.labels if name not in by))

    def rows(self, rows: Iterable[Row], by: Sequence[str], measures: Sequence[str]) -> list[Row]:
        """The selected rows with the dimensions ``by`` alone; one row of zeros where these are none and no row is."""
        wanted = self.labels
        sums: dict[tuple[str, ...], np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
        for group, counts in rows:
            if all(group[name] == label for name, label in wanted.items()):
                key = tuple(group[name] for name in by)
                added = np.array([counts[name] for name in measures], dtype=np.int64)
                sums[key] = sums[key] + added if key in sums else added
        if not by and not sums:
            sums[()] = np.zeros(len(measures), dtype=np.int64)
        return [
            (dict(zip(by, key, strict=True)), dict(zip(measures, total.tolist(), strict=True)))
            for key, total in sums.items()
        ]


EVERYBODY: Final = Selection()


def selection_of(
    facility: str | None, sex: str | None, age: str | None, facilities: Iterable[str] | None = None
) -> Selection:
    """The selection of these labels.

    Args:
        facility: DATIM id; None for all, as for the others.
        sex: one of SEXES.
        age: one of AGES.
        facilities: the DATIM ids within reach.

    Raises:
        Invalid: a label is unknown.
    """
    for field, label, known in (("sex", sex, SEXES), ("age", age, AGES), ("facility", facility, facilities)):
        if label is not None and known is not None and label not in known:
            raise _unknown(field, known)
    return Selection(facility, sex, age)


def _unknown(field: str, known: Iterable[str]) -> Invalid:
    remedy = (
        "give the DATIM id of a facility"
        if field == "facility"
        else phrase("choose among {listed}", listed=", ".join(known))
    )
    return Invalid(
        phrase("unknown {field}", field=field), remedy=remedy, errors=[FieldError(field, "is unknown", remedy)]
    )


def place_of(labels: Mapping[str, str], facilities: Sequence[str]) -> dict[str, int]:
    """The code of each label, as indicators have it; -1 where it is not recorded."""
    orders: Mapping[str, Sequence[str]] = {"facility": facilities, "sex": ("", "F", "M"), "age": AGE_BANDS}
    return {name: -1 if label == NOT_RECORDED else orders[name].index(label) for name, label in labels.items()}
