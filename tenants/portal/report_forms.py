"""The forms of the page of reports: what the browser sends, what it asks for, and which field is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import AppError, Conflict, FieldError, Forbidden, Invalid
from core.identity.people.names import normal_email
from core.web.days import DAY_REMEDY, ImplausibleError, plausible
from core.web.problem_texts import problem_text, shown_sentence
from core.web.texts import gettext as _
from tenants.reports.file_schemas import FORMATS, LISTS, ReportFilePost, SchedulePost

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

REJECTED: Final = (Invalid, Conflict, Forbidden)
"""The errors that a form shows beside what was typed."""
_CHOICES: Final = {f"{kind}.{form}" for kind, forms in FORMATS.items() for form in forms}
_REPORT_FIELDS: Final = {
    "report": "report",
    "format": "report",
    "facility": "facility",
    "as_of": "as_of",
    "period": "period",
}
_SCHEDULE_FIELDS: Final = {
    "report": "planned",
    "format": "planned",
    "facility": "where",
    "period": "of",
    "every": "moment",
    "on_day": "moment",
    "at_hour": "at_hour",
    "email": "recipients",
    "recipients": "recipients",
    "recipient_ids": "recipients",
}
"""Field of an error -> id of the input on the page. Any other error is of the whole form."""

_Model = TypeVar("_Model", bound=BaseModel)


class ReportForm(BaseModel):
    """The form of a report as the browser sends it; empty fields choose nothing."""

    model_config = ConfigDict(extra="ignore")

    report: str = Field(default="", max_length=60)
    facility: str = Field(default="", max_length=100)
    as_of: str = Field(default="", max_length=60)
    period: str = Field(default="", max_length=60)

    @property
    def chosen(self) -> dict[str, str | None]:
        """Kind, format and facility.

        Raises:
            Invalid: the report is none of the list.
        """
        if self.report not in _CHOICES:
            raise _wrong("report", _("No report was chosen."), _("Choose one of the list."))
        kind, _dot, form = self.report.rpartition(".")
        return {"kind": kind, "format": form, "facility": self.facility or None}

    @property
    def post(self) -> ReportFilePost:
        """The report that the form asks for.

        Raises:
            Invalid: a field is wrong.
        """
        chosen = self.chosen
        time = {"as_of": _day(self.as_of)} if chosen["kind"] in LISTS else {"period": self.period}
        return _validated(ReportFilePost, {**chosen, **time})


class ScheduleForm(ReportForm):
    """The form of a schedule as the browser sends it."""

    moment: str = Field(default="month-5", max_length=20)
    at_hour: str = Field(default="6", max_length=20)
    of: str = Field(default="month", max_length=20)
    recipients: str = Field(default="", max_length=4000)

    @property
    def addresses(self) -> list[str]:
        """The e-mail addresses of the recipients, each one time.

        Raises:
            Invalid: a text is no address.
        """
        return list(dict.fromkeys(normal_email(text) for text in re.split(r"[\s,;]+", self.recipients) if text))

    def schedule(self, recipients: list[UUID]) -> SchedulePost:
        """The schedule that the form asks for.

        Raises:
            Invalid: a field is wrong.
        """
        every, _dash, day = self.moment.partition("-")
        when = {"every": every, "on_day": day, "at_hour": self.at_hour, "period": self.of}
        return _validated(SchedulePost, {**self.chosen, **when, "recipient_ids": recipients})


@dataclass(frozen=True, slots=True)
class FilledForms:
    """What a reader has typed, and why it was rejected; without an error, the forms of a page that was just opened."""

    report: ReportForm | None = None
    schedule: ScheduleForm | None = None
    error: AppError | None = None

    @property
    def problems(self) -> list[tuple[str, str]]:
        """The id of each input that is wrong, and what to do; an empty id for a problem of the whole form."""
        if self.error is None:
            return []
        ids = _REPORT_FIELDS if self.schedule is None else _SCHEDULE_FIELDS
        if not self.error.errors:
            return [("", problem_text(self.error))]
        return [(ids.get(one.field.partition(".")[0], ""), _text(one)) for one in self.error.errors]


EMPTY: Final = FilledForms()


def _text(error: FieldError) -> str:
    return " ".join(filter(None, (shown_sentence(error.problem), shown_sentence(error.remedy))))


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return plausible(date.fromisoformat(text.strip()))
    except ImplausibleError as error:
        raise _wrong("as_of", str(error), DAY_REMEDY) from error
    except ValueError:
        raise _wrong("as_of", _("This is not a day."), _("Write it as YYYY-MM-DD.")) from None


def _validated(model: type[_Model], values: Mapping[str, Any]) -> _Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # A rule of several fields names the one to change at the beginning of its text.
        rules = (part["msg"].removeprefix("Value error, ").partition(":")[0] for part in error.errors())
        fields = {str((*part["loc"], rule)[0]) for part, rule in zip(error.errors(), rules, strict=True)}
        problem, remedy = _("This cannot be chosen."), _("Choose one of the list.")
        errors = [FieldError(field, problem, remedy) for field in sorted(fields)]
        raise Invalid(problem, remedy=remedy, errors=errors) from error


def _wrong(field: str, problem: str, remedy: str) -> Invalid:
    return Invalid(problem, remedy=remedy, errors=[FieldError(field, problem, remedy)])
