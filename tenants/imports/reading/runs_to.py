"""Find the data date of files, for formats whose mapping has no column for it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from core.clock import now
from tenants.imports.reading.sources import rejected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tenants.imports.facts import Reading
    from tenants.imports.mapping import Mapping


def known_date(mapping: Mapping) -> date | None:
    """Return the mapping's constant, if it has one.

    Raises:
        Invalid: the mapping names a column instead.
    """
    if mapping.data_date is None or isinstance(mapping.data_date, date):
        return mapping.data_date
    problem = "data_date of this format is a date, not a column"
    raise rejected("mapping", problem, "write data_date: 2026-06-30, or give the import a data date")


def latest_day(days: Iterable[date]) -> date | None:
    """The latest of these days, without those in the future; None if there are none."""
    today = now().date()
    return max((day for day in days if day <= today), default=None)


def event_days(reading: Reading) -> list[date]:
    """The days of a row's facts, without voided ones."""
    return [day for fact in reading.facts if not fact.voided and (day := fact.event_date()) is not None]


def stamp_or_latest_day(documents: Iterable[tuple[date | None, list[date]]]) -> date | None:
    """The latest day on which a document was made; without such days, the latest day of their events.

    Events come second, because one wrong date among thousands would be the latest.
    """
    stamps: list[date] = []
    latest: list[date] = []
    for stamp, days in documents:
        stamps += [stamp] if stamp is not None else []
        day = latest_day([*latest, *days])
        latest = [day] if day is not None else []
    return latest_day(stamps) or next(iter(latest), None)
