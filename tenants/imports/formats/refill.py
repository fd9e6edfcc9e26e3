"""The length of a refill. Lists give days or months, and some give one under the heading of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from core.errors import phrase
from tenants.imports.formats.profile import MONTHS_AT_MOST
from tenants.imports.reading import values
from tenants.imports.reading.sources import rejected
from tenants.imports.reading.values import BadValueError

if TYPE_CHECKING:
    from tenants.imports.formats.profile import Profile
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.sources import Source

Unit = Literal["days", "months"]
PACK = 28
"""Days of a pack of four weeks."""


class Refills:
    """Reads the refills of one file of a list.

    Args:
        source: the file, for messages.
        profile: profile of the file, with its first refills.
        mapping: its ``refill.unit``, if given, decides.
        heading: heading of the column.
        unit: unit in the list's heading; None if only the numbers can decide.

    Raises:
        Invalid: the numbers fit both units, or contradict the heading.
    """

    def __init__(self, source: Source, profile: Profile, mapping: Mapping, heading: str, unit: Unit | None) -> None:
        self._has_unit = mapping.refill is not None
        self.unit: Unit = mapping.refill.unit if mapping.refill else _unit(source, profile.refills, heading, unit)

    def read(self, cell: object) -> int:
        """Return the days of treatment in a cell.

        Raises:
            BadValueError: it is not a number of days, or has days under a heading of months.
        """
        if self.unit == "months" and not self._has_unit and values.number(cell) > MONTHS_AT_MOST:
            problem = phrase("more than {most} months of refill: probably days", most=MONTHS_AT_MOST)
            raise BadValueError(problem, "correct it; if all are days, import with the mapping 'refill: {unit: days}'")
        days = values.days(cell, self.unit)
        return _packs(values.number(cell), days) if self.unit == "months" else days


def _packs(months: float, days: int) -> int:
    """Return the days of a number of months.

    A rounded number of whole packs counts as packs: LAMIS+ writes 28 days as 0.9.
    """
    packs = round(days / PACK) * PACK
    return packs if not months.is_integer() and round(packs / values.DAYS_A_MONTH, 1) == months else days


def _unit(source: Source, seen: list[float], heading: str, unit: Unit | None) -> Unit:
    remedy = "say which: import with the mapping 'refill: {unit: days}' or 'refill: {unit: months}'"
    large = sum(value > MONTHS_AT_MOST for value in seen)
    if unit == "months":
        if large * 2 > len(seen):
            raise rejected(source.name, phrase("{heading!r} seems to hold days, not months", heading=heading), remedy)
        return "months"
    if unit == "days":
        if seen and not large:
            raise rejected(source.name, phrase("{heading!r} seems to hold months, not days", heading=heading), remedy)
        return "days"
    if not seen or large * 2 > len(seen):
        return "days"
    if not large:
        return "months"
    raise rejected(source.name, "the refill period may be in days or in months", remedy)
