"""Words and bounds of the records: the variables that features know, and what no value can be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

EARLIEST = date(1900, 1, 1)
"""No date of care or of birth is before it."""

MAX_DAYS_SUPPLIED = 366
"""More days of drugs than this are not handed out at once."""

MAX_AGE_YEARS = 120


@dataclass(frozen=True, slots=True)
class Variable:
    """An observation's variable.

    Attributes:
        unit: of ``value_numeric``.
        low: the least number that is not a slip, in ``unit``.
        high: the greatest.
        coded: the words that ``value_coded`` takes, none when it is a number.
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
"""What features read, by ``variable_name``. Other names may be stored; nothing is known of their values."""

AGE_BANDS: tuple[tuple[str, int, int], ...] = (
    ("<1", 0, 0),
    ("1-4", 1, 4),
    *((f"{low}-{low + 4}", low, low + 4) for low in range(5, 65, 5)),
    ("65+", 65, MAX_AGE_YEARS),
)
"""Age bands of PEPFAR MER since version 2.6.1, in completed years: label, first and last."""
