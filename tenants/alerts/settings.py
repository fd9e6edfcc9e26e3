"""A tenant's settings of alerts: when nobody is to be notified."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from core.preferences.holidays import Holidays

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
    holidays: Holidays = Field(default_factory=dict)
    """Days that are quiet from beginning to end, with their names. A list of days gives them no names."""
    channel_language: Literal["en", "fr", "pt"] = "en"
    """The language of alerts in channels."""


def minutes(time_of_day: str) -> int:
    """Return a time of day such as ``07:30`` as minutes from midnight."""
    hours, _, rest = time_of_day.partition(":")
    return int(hours) * 60 + int(rest)
