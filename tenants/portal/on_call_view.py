"""What the page of who is on call shows: the turns of each rota, and a calendar of one."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from core.clock import today
from core.identity.people.members import names_of
from core.web.texts import gettext as _
from core.web.texts import shown_date, shown_day, shown_month
from tenants.alerts import management
from tenants.alerts.models import OnCallRota
from tenants.alerts.oncall import now_and_next, overrides_by_rota, overrides_of, timeline
from tenants.alerts.quiet import at_minute

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from core.database import TenantRef, TenantSession
    from tenants.alerts.models import OnCallOverride
    from tenants.alerts.oncall import Shift

WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class Turn:
    """A rota with who is on call, and who follows."""

    rota: OnCallRota
    present: Shift | None
    following: Shift | None


@dataclass(frozen=True, slots=True)
class Part:
    """Who is on call in a part of a day.

    Attributes:
        person_id: the person.
        since, until: times of day such as ``08:00``; empty at the day's own ends.
        is_override: whether it is a turn taken over.
        is_now: whether the present moment lies in it.
    """

    person_id: UUID
    since: str
    until: str
    is_override: bool
    is_now: bool


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A day of a calendar.

    Attributes:
        day: the day.
        heading: the day in words.
        is_today: whether it is the tenant's present day.
        is_outside: whether it fills up the weeks of another month.
        parts: who is on call, in order.
    """

    day: date
    heading: str
    is_today: bool
    is_outside: bool
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Calendar:
    """A week or a month of a rota.

    Attributes:
        span: ``week`` or ``month``.
        title: its time in words.
        days: whole weeks, from Monday.
        chosen, previous, next: days of this, the earlier and the later week or month.
        overrides: that have not ended.
    """

    span: str
    title: str
    days: list[CalendarDay]
    chosen: date
    previous: date
    next: date
    overrides: list[OnCallOverride]


def turns_of(session: TenantSession, moment: datetime) -> list[Turn]:
    """Return every rota with its turns, in the order in which they were made."""
    overrides, zone = overrides_by_rota(session, moment), session.tenant.time_zone
    return [
        Turn(rota, *now_and_next(rota, overrides.get(rota.id, []), zone, moment))
        for rota in management.list_of(session, OnCallRota)
    ]


def calendar_of(session: TenantSession, rota: OnCallRota, span: str, day: date, moment: datetime) -> Calendar:
    """Return the week or the month of a rota in which a day lies, in whole weeks."""
    zone = session.tenant.time_zone
    first, last = (day, day) if span != "month" else (day.replace(day=1), day.replace(day=_length(day)))
    begin = first - timedelta(days=first.weekday())
    end = last + timedelta(days=WEEK - 1 - last.weekday())
    overrides = overrides_of(session, rota.id, at_minute(begin, 0, zone))
    parts = timeline(rota, overrides, zone, at_minute(begin, 0, zone), at_minute(end + timedelta(days=1), 0, zone))
    present = today(zone)
    days = []
    for number in range((end - begin).days + 1):
        each = begin + timedelta(days=number)
        inside = span != "month" or each.month == day.month
        days.append(
            CalendarDay(each, shown_day(each), each == present, not inside, _parts_of(each, parts, zone, moment))
        )
    week = _("Week of {day}").format(day=shown_date(begin))
    return Calendar(
        span="month" if span == "month" else "week",
        title=shown_month(day) if span == "month" else week,
        days=days,
        chosen=day,
        previous=first - timedelta(days=1) if span == "month" else day - timedelta(days=WEEK),
        next=last + timedelta(days=1) if span == "month" else day + timedelta(days=WEEK),
        overrides=[each for each in overrides if each.until > moment],
    )


def names_in(tenant: TenantRef, rota_turns: Sequence[Turn], calendar: Calendar | None) -> dict[UUID, str]:
    """Return the names of the people whom the page names; who has left has none."""
    people = {UUID(member["person_id"]) for turn in rota_turns for member in turn.rota.members}
    people |= {each.person_id for turn in rota_turns for each in (turn.present, turn.following) if each is not None}
    if calendar is not None:
        people |= {each.person_id for each in calendar.overrides}
        people |= {part.person_id for day in calendar.days for part in day.parts}
    return names_of(tenant, people)


def _parts_of(day: date, parts: Sequence[Shift], zone: str, moment: datetime) -> list[Part]:
    begin, end = at_minute(day, 0, zone), at_minute(day + timedelta(days=1), 0, zone)
    clock = ZoneInfo(zone)
    return [
        Part(
            each.person_id,
            each.since.astimezone(clock).strftime("%H:%M") if each.since > begin else "",
            each.until.astimezone(clock).strftime("%H:%M") if each.until < end else "",
            each.override is not None,
            max(each.since, begin) <= moment < min(each.until, end),
        )
        for each in parts
        if each.since < end and each.until > begin
    ]


def _length(day: date) -> int:
    return monthrange(day.year, day.month)[1]
