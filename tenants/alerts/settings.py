"""A tenant's settings of alerts: when nobody is to be notified."""

from datetime import date
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

MOST_HOLIDAYS: Final = 400
LONGEST_NAME: Final = 80
HolidayName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_NAME)]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class AlertSettings(BaseModel):
    """The group ``alerts`` of the tenant's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    settings_key: ClassVar[str] = "alerts"

    quiet_hours: bool = True
    """Whether alerts wait for the end of quiet hours and holidays. Critical alerts never wait."""
    quiet_from: TimeOfDay = "20:00"
    """Quiet hours begin at this time of the tenant's day."""
    quiet_until: TimeOfDay = "07:00"
    """Quiet hours end at this time of the tenant's day."""
    quiet_weekends: bool = False
    """Whether Saturdays and Sundays are quiet as holidays are."""
    holidays: Annotated[dict[date, HolidayName], Field(max_length=MOST_HOLIDAYS)] = Field(default_factory=dict)
    """Days that are quiet from beginning to end, with their names. A list of days gives them no names."""
    channel_language: Literal["en", "fr", "pt"] = "en"
    """The language of alerts in channels."""

    @field_validator("holidays", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        """Give the days of a list empty names."""
        if isinstance(value, list | tuple) and all(isinstance(day, str | date) for day in value):
            return dict.fromkeys(value, "")
        return value


def minutes(time_of_day: str) -> int:
    """Return a time of day such as ``07:30`` as minutes from midnight."""
    hours, _, rest = time_of_day.partition(":")
    return int(hours) * 60 + int(rest)
