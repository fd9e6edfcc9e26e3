"""Texts about reports: their names, their states, and their schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.web.texts import gettext as _
from core.web.texts import marked, shown_date, shown_number
from tenants.cohort.calendar import period_of
from tenants.portal.programme_words import period_title
from tenants.reports.words import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from tenants.reports.file_schemas import ReportFileOut, ScheduleOut

STATES: Final[dict[str, tuple[str, str]]] = {
    "waiting": (marked("Being made"), "medium"),
    "made": (marked("Ready"), "low"),
    "failed": (marked("Failed"), "high"),
    "expired": (marked("Expired"), ""),
}
"""Word and shape of each state."""

WEEKDAYS: Final = (
    marked("each Monday"),
    marked("each Tuesday"),
    marked("each Wednesday"),
    marked("each Thursday"),
    marked("each Friday"),
    marked("each Saturday"),
    marked("each Sunday"),
)
STOPPED: Final[dict[str, str]] = {
    "creator": marked("the person who made it has left, or the key that made it has ended"),
    "permission": marked("the person who made it may no longer schedule or read such reports"),
    "reach": marked("the person who made it reaches none of its clinics any more"),
}
"""Why a schedule stopped."""
FORMATS: Final = {"csv": "CSV", "xlsx": "Excel", "pdf": "PDF", "json": "JSON"}
"""What people call each format of a file."""

_KILOBYTE: Final = 1000


def in_format(kind: str, form: str) -> str:
    """A kind of report in a format, such as ``Indicator tables (MER), as Excel``."""
    return _("{report}, as {format}").format(report=_(KINDS[kind]), format=FORMATS[form])


def title(report: ReportFileOut | ScheduleOut) -> str:
    """The title of a report: what it is, and in which format."""
    text = in_format(report.kind, report.format)
    return _("{report}, with programme numbers").format(report=text) if report.identifiers else text


def about(report: ReportFileOut, clinics: Mapping[str, str]) -> str:
    """The subject of a report: its day or period, and its clinic."""
    when = "" if report.as_of is None else shown_date(report.as_of)
    if report.period is not None:
        when = period_title(period_of(report.period))
    where = _("all clinics of the person who asked") if report.facility is None else clinics.get(report.facility, "")
    return " · ".join(part for part in (when, where) if part)


def size(report: ReportFileOut) -> str:
    """The size of a report's file."""
    return "" if report.size is None else _("{size} kB").format(size=shown_number(report.size / _KILOBYTE, 1))


def stopped(schedule: ScheduleOut) -> str:
    """Why a schedule stopped, and what to do; empty while it runs."""
    if schedule.stopped_at is None or schedule.stopped_why is None:
        return ""
    text = _("It stopped: {reason}. End it, and let somebody who may read the report schedule it again.")
    return text.format(reason=_(STOPPED[schedule.stopped_why]))


def recipients(schedule: ScheduleOut, names: Mapping[UUID, str]) -> str:
    """Who gets a link; a person who has left is not named."""
    people = ", ".join(sorted(names[person] for person in schedule.recipient_ids if person in names))
    return _("A link goes to {people}, if they may read the report then.").format(people=people) if people else ""


def moment(schedule: ScheduleOut) -> str:
    """The times at which the reports of a schedule are made."""
    day = _(WEEKDAYS[schedule.on_day - 1])
    if schedule.every == "month":
        day = _("each month on day {day}").format(day=schedule.on_day)
    return _("{day}, at {hour}:00").format(day=day, hour=schedule.at_hour)
