"""The forms of the pages on which alerts are managed, checked by the models of the API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from core.errors import Conflict, FieldError, Invalid, PreconditionFailed
from core.preferences.holidays import LONGEST_NAME
from core.web.etag import ExpectedVersions
from core.web.problem_texts import problem_text
from core.web.texts import gettext as _
from core.web.texts import marked

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from core.errors import AppError

_Model = TypeVar("_Model", bound=BaseModel)
REJECTED: Final = (Invalid, Conflict, PreconditionFailed)
"""Why a form is shown again."""
LONGEST: Final = 200
MOST_ROWS: Final = 50
Short = Annotated[str, Field(max_length=LONGEST)]
Many = Annotated[list[Short], Field(max_length=500)]
FIELDS: Final = {
    "name": marked("Write a name of at most 80 characters."),
    "severity": marked("Choose a severity of the list."),
    "threshold": marked("Write a whole number from 0 to 1,000,000,000."),
    "repeat_hours": marked("Write a whole number of hours from 1 to 720."),
    "stream": marked("Choose one of the list."),
    "rule": marked("Choose a rule of the list."),
    "facility": marked("Choose a facility that exists."),
    "facilities": marked("Choose facilities that exist."),
    "days": marked("Choose days of the week."),
    "from_time": marked("Write a time such as 18:00."),
    "until_time": marked("Write a time such as 07:00."),
    "target": marked("Choose a channel or an escalation policy that exists."),
    "steps": marked("Choose whom the step notifies, and after 0 to 10,080 minutes."),
    "repeats": marked("Write a whole number from 0 to 10."),
    "since": marked("Choose the day and the time of the beginning."),
    "until": marked("Choose a day and a time later than the beginning, and than now."),
    "reason": marked("Say why in at most 200 characters; name no person."),
    "members": marked("Choose a colleague who acts on alerts, and the channel that reaches them."),
    "first_day": marked("Choose the day of the first hand-over."),
    "shift_days": marked("Write a whole number of days from 1 to 31."),
    "handover_time": marked("Write a time such as 08:00."),
    "person_id": marked("Choose a member of the rota."),
    "day": marked("Choose a day from the year 2000 on."),
}
"""Name of a field -> what to write in it."""
_TARGETS: Final = {"channel_id": "target", "policy_id": "target", "rota_id": "target"}


@dataclass(frozen=True, slots=True)
class FormProblem:
    """Why a form was rejected.

    Attributes:
        text: what is wrong and what to do, if no field is to blame.
        by_field: id of each wrong input -> what to write in it. The second row of steps is ``steps-1``.
    """

    text: str = ""
    by_field: dict[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The wrong inputs, for the summary of errors."""
        return list(self.by_field.items())


class VersionedForm(BaseModel):
    """A form of something that has a version."""

    model_config = ConfigDict(extra="ignore")

    version: Short = ""
    act: Short = "save"

    def expected(self) -> ExpectedVersions:
        """The version that the person has seen; none for something that was never changed."""
        return ExpectedVersions(frozenset({self.version} if self.version else ()))


class RuleForm(VersionedForm):
    """The form of a rule."""

    enabled: Short = ""
    severity: Short = ""
    threshold: Short = "0"
    repeat_hours: Short = ""

    def values(self) -> dict[str, Any]:
        """What the form says, for ``RuleIn``."""
        own = self.model_dump(include={"severity", "threshold", "repeat_hours"})
        return {**own, "threshold": self.threshold or "0", "enabled": bool(self.enabled)}


class RouteForm(VersionedForm):
    """The form of a route; ``target`` is ``channel:`` or ``policy:`` and an id."""

    name: Short = ""
    stream: Short = ""
    facilities: Many = []
    severity: Short = "info"
    days: Many = []
    from_time: Short = "00:00"
    until_time: Short = "00:00"
    target: Short = ""

    def values(self) -> dict[str, Any]:
        """What the form says, for ``RouteIn``."""
        own = self.model_dump(include={"name", "facilities", "severity", "days", "from_time", "until_time"})
        return own | {"stream": self.stream or None} | _target(self.target, ("channel", "policy"))


class PolicyForm(VersionedForm):
    """The form of an escalation policy: rows of minutes and whom they notify; a row without a target is left out."""

    name: Short = ""
    minutes: Many = []
    target: Many = []
    repeats: Short = "0"

    def rows(self) -> list[tuple[str, str]]:
        """Each row's minutes and target."""
        return list(zip(self.minutes, self.target, strict=False))

    def values(self) -> dict[str, Any]:
        """What the form says, for ``PolicyIn``."""
        steps = [
            {"after_minutes": minutes or "0", **_target(target, ("channel", "rota"))}
            for minutes, target in self.rows()
            if target
        ]
        return {"name": self.name, "steps": steps, "repeats": self.repeats or "0"}


class RotaForm(VersionedForm):
    """The form of a rota: rows of a person and their channel; a row without a person is left out."""

    name: Short = ""
    person: Many = []
    channel: Many = []
    first_day: Short = ""
    shift_days: Short = "7"
    handover_time: Short = "08:00"

    def rows(self) -> list[tuple[str, str]]:
        """Each row's person and channel."""
        return list(zip(self.person, self.channel, strict=False))

    def values(self) -> dict[str, Any]:
        """What the form says, for ``RotaIn``."""
        own = self.model_dump(include={"name", "first_day", "shift_days", "handover_time"})
        members = [{"person_id": person, "channel_id": channel} for person, channel in self.rows() if person]
        return {**own, "members": members}


class SilenceForm(BaseModel):
    """The form of a silence."""

    model_config = ConfigDict(extra="ignore")

    rule: Short = ""
    facility: Short = ""
    stream: Short = ""
    since: Short = ""
    until: Short = ""
    reason: Annotated[str, Field(max_length=1000)] = ""

    def values(self, zone: ZoneInfo) -> dict[str, Any]:
        """What the form says, for ``SilenceIn``."""
        chosen = {name: getattr(self, name) or None for name in ("rule", "facility", "stream")}
        times = {"since": instant(self.since, zone), "until": instant(self.until, zone)}
        return {**chosen, **times, "reason": self.reason}


class Holiday(BaseModel):
    """A holiday that a person adds. Its bounds keep out the slip of a year with two digits."""

    day: Annotated[date, Field(ge=date(2000, 1, 1), le=date(2199, 12, 31))]
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME)]


class HolidayForm(BaseModel):
    """The form of a holiday."""

    model_config = ConfigDict(extra="ignore")

    day: Short = ""
    name: Short = ""


class OverrideForm(BaseModel):
    """The form of an override of a rota."""

    model_config = ConfigDict(extra="ignore")

    person_id: Short = ""
    since: Short = ""
    until: Short = ""

    def values(self, zone: ZoneInfo) -> dict[str, Any]:
        """What the form says, for ``OnCallOverrideIn``."""
        times = {"since": instant(self.since, zone), "until": instant(self.until, zone)}
        return {"person_id": self.person_id, **times}


def instant(text: str, zone: ZoneInfo) -> datetime | str | None:
    """Return the instant of a day and time of the tenant's clock; the text, which no model accepts, if it is none."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return text


def local_text(moment: datetime, zone: ZoneInfo) -> str:
    """Return an instant as the value of an input of a day and a time of the tenant's clock."""
    return moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def checked(model: type[_Model], values: dict[str, Any]) -> _Model:
    """Return what a form says as the API's model.

    Raises:
        Invalid: a field is wrong (422).
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        places = [".".join(map(str, part["loc"])) for part in error.errors()]
        message = "the form is not valid"
        raise Invalid(message, errors=[FieldError(place, message) for place in places]) from error


def problem_of(error: AppError) -> FormProblem:
    """Return why a form was rejected, as its page shows it."""
    by_field: dict[str, str] = {}
    for one in error.errors:
        parts = one.field.removeprefix("body.").split(".")
        name = _TARGETS.get(parts[0], parts[0])
        if name in FIELDS:
            key = f"{name}-{parts[1]}" if len(parts) > 1 and name in ("steps", "members") else name
            by_field.setdefault(f"{name}-0" if key in ("steps", "members") else key, _(FIELDS[name]))
    return FormProblem(by_field=by_field) if by_field else FormProblem(problem_text(error))


def _target(text: str, kinds: tuple[str, str]) -> dict[str, str | None]:
    kind, _colon, chosen = text.partition(":")
    return {f"{each}_id": (chosen if each == kind else None) for each in kinds}
