"""A tenant's holidays, on which alerts keep quiet: add one, remove one, copy those of the year before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.preferences import amend, group, read
from core.web.etag import ExpectedVersions, etag
from tenants.alerts.settings import AlertSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from core.database import TenantSession


def add_holiday(session: TenantSession, day: date, name: str) -> None:
    """Add a holiday, or give one that is there another name.

    Raises:
        Invalid: there are too many (422).
        PreconditionFailed: somebody changed the settings meanwhile (412).
    """
    _change(session, lambda present: {**present, day: name})


def remove_holiday(session: TenantSession, day: date) -> None:
    """Remove a holiday. A day that is none stays none.

    Raises:
        PreconditionFailed: somebody changed the settings meanwhile (412).
    """
    _change(session, lambda present: {each: name for each, name in present.items() if each != day})


def copy_holidays(session: TenantSession, year: int) -> int:
    """Add to a year those of the year before that ``to_copy`` returns, and return their number.

    Raises:
        Invalid: there are too many (422).
        PreconditionFailed: somebody changed the settings meanwhile (412).
    """
    added: dict[date, str] = {}

    def change(present: Mapping[date, str]) -> Mapping[date, str]:
        added.update(to_copy(present, year))
        return {**present, **added}

    _change(session, change)
    return len(added)


def to_copy(holidays: Mapping[date, str], year: int) -> dict[date, str]:
    """Return the holidays of the year before that the year lacks, on the same days of the year.

    A holiday whose name the year has already is left out, since it may move from year to year; so is 29 February.

    >>> from datetime import date
    >>> to_copy({date(2026, 4, 3): "Good Friday", date(2026, 5, 1): "May Day", date(2027, 3, 26): "Good Friday"}, 2027)
    {datetime.date(2027, 5, 1): 'May Day'}
    """
    names = {name for day, name in holidays.items() if day.year == year and name}
    copied: dict[date, str] = {}
    for day, name in holidays.items():
        if day.year != year - 1 or name in names or (day.month, day.day) == (2, 29):
            continue
        same = day.replace(year=year)
        if same not in holidays:
            copied[same] = name
    return copied


def _change(session: TenantSession, change: Callable[[Mapping[date, str]], Mapping[date, str]]) -> None:
    state = read(session, group(AlertSettings.settings_key))
    holidays = change(state.value.holidays if isinstance(state.value, AlertSettings) else {})
    document = {day.isoformat(): holidays[day] for day in sorted(holidays)}
    amend(session, state.group, {"holidays": document or None}, ExpectedVersions(frozenset({etag(state.version)})))
