"""Texts about reports: their names, their states, and their schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.jobs.job_end import ITS_JOB
from core.web.problem_texts import shown_sentence
from core.web.texts import gettext as _
from core.web.texts import marked, shown_date, shown_size
from tenants.cohort.calendar import period_of
from tenants.portal.programme_words import period_title
from tenants.reports.words import KINDS, why_stopped

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
FORMATS: Final = {"csv": "CSV", "xlsx": "Excel", "pdf": "PDF", "json": "JSON"}
"""What people call each format of a file."""


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
        when = period_title(period_of(report.period), report.counted_to)
    where = _("all clinics of the person who asked") if report.facility is None else clinics.get(report.facility, "")
    return " · ".join(part for part in (when, where) if part)


def failure(report: ReportFileOut) -> str:
    """Why a report failed, and what to do. The platform's own failures are for the administrator."""
    if report.problem is None or report.problem.startswith(ITS_JOB):
        return _("It could not be made. Make it again, or tell your administrator.")
    return shown_sentence(report.problem)


def size(report: ReportFileOut) -> str:
    """The size of a report's file."""
    return "" if report.size is None else shown_size(report.size)


def stopped(schedule: ScheduleOut) -> str:
    """Why a schedule stopped, and what to do; empty while it runs."""
    return "" if schedule.stopped_at is None else why_stopped(str(schedule.stopped_why))


def recipients(schedule: ScheduleOut, names: Mapping[UUID, str]) -> str:
    """Who gets a link; a person who has left is not named."""
    people = ", ".join(sorted(names[person] for person in schedule.recipient_ids if person in names))
    return _("A link goes to {people}, if they may read the report then.").format(people=people) if people else ""


def moments() -> list[tuple[str, str]]:
    """The days to choose from for a schedule: those of the week, then those of the month."""
    weekly = [(f"week-{number}", _(text)) for number, text in enumerate(WEEKDAYS, 1)]
    return weekly + [(f"month-{day}", _("each month on day {day}").format(day=day)) for day in range(1, 29)]


def hours() -> list[tuple[str, str]]:
    """The hours to choose from for a schedule."""
    return [(str(hour), f"{hour}:00") for hour in range(24)]


def moment(schedule: ScheduleOut) -> str:
    """The times at which the reports of a schedule are made."""
    day = _(WEEKDAYS[schedule.on_day - 1])
    if schedule.every == "month":
        day = _("each month on day {day}").format(day=schedule.on_day)
    return _("{day}, at {hour}:00").format(day=day, hour=schedule.at_hour)
