"""The variables that features read, and the limits of plausible values in the records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

EARLIEST = date(1900, 1, 1)
"""The earliest plausible date of care or birth."""

MAX_DAYS_SUPPLIED = 366
"""The most days of drugs that one dispensation can plausibly supply."""

MAX_AGE_YEARS = 120


@dataclass(frozen=True, slots=True)
class Variable:
    """An observation's variable.

    Attributes:
        unit: the unit of ``value_numeric``.
        low: the lowest plausible number, in ``unit``.
        high: the highest plausible number.
        coded: the allowed words of ``value_coded``; none if the variable is a number.
    """

    unit: str | None = None
    low: float | None = None
    high: float | None = None
    coded: frozenset[str] = frozenset()


VARIABLES: dict[str, Variable] = {
    "viral_load": Variable("copies/mL", 0, 1e9),
    "cd4": Variable("cells/mm3", 0, 10_000),
    "who_stage": Variable(None, 1, 4),
    "arv_adherence": Variable(coded=frozenset({"good", "fair", "poor"})),
    "pregnancy": Variable(coded=frozenset({"pregnant", "breastfeeding", "none"})),
    "weight": Variable("kg", 0.3, 400),
    "height": Variable("cm", 20, 260),
}
"""The variables that features read, by ``variable_name``. Others may be stored; their values are not checked."""

AGE_BANDS: tuple[tuple[str, int, int], ...] = (
    ("<1", 0, 0),
    ("1-4", 1, 4),
    *((f"{low}-{low + 4}", low, low + 4) for low in range(5, 65, 5)),
    ("65+", 65, MAX_AGE_YEARS),
)
"""Age bands of PEPFAR MER since version 2.6.1, in completed years: label, first and last."""
