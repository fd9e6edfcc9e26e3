"""A tenant's settings of messages."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core.preferences.holidays import Holidays
from tenants.messages.covert import telling_words
from tenants.messages.numbers import REGIONS, mobile_number

Weekday = Annotated[int, Field(ge=1, le=7)]


class MessageSettings(BaseModel):
    """The group ``messages`` of the tenant's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    settings_key: ClassVar[str] = "messages"

    active: bool = False
    """Whether the platform sends messages to patients at all."""
    gateway: UUID | None = None
    """The SMS gateway that sends them, an instance of a plugin. None: the partner's only one, if there is just one."""
    region: Annotated[str, Field(min_length=2, max_length=2)] = "NG"
    """Country of phones that are written without a country code, as two letters of ISO 3166."""
    code_word: Annotated[str, Field(max_length=20)] = ""
    """A word by which patients recognize the sender, such as Sunrise. Templates may begin with it."""
    phone: Annotated[str, Field(max_length=25)] = ""
    """The phone that patients can call. Templates may name it."""
    language: Annotated[str, Field(pattern="^[a-z]{2,3}$")] = "en"
    """Language of messages to patients for whom none is recorded."""
    days_before: Annotated[tuple[Annotated[int, Field(ge=1, le=14)], ...], Field(max_length=3)] = (2, 1)
    """How many days before the expected contact reminders are sent."""
    first_hour: Annotated[int, Field(ge=0, le=23)] = 8
    """The hour of the day from which messages are sent, in the partner's time zone."""
    last_hour: Annotated[int, Field(ge=1, le=24)] = 19
    """The hour of the day from which no message is sent."""
    free_weekdays: Annotated[tuple[Weekday, ...], Field(max_length=6)] = (7,)
    """Days of the week without messages; Monday is 1, Sunday 7."""
    holidays: Holidays = Field(default_factory=dict)
    """Days without messages, with their names. A list of days gives them no names."""
    most_per_day: Annotated[int, Field(ge=1, le=5)] = 1
    """The most messages to one phone in a day."""
    most_segments: Annotated[int, Field(ge=1, le=4)] = 2
    """The most parts of a message."""

    @field_validator("region")
    @classmethod
    def _known_region(cls, value: str) -> str:
        if value not in REGIONS:
            message = "is no country of ISO 3166; write two capital letters, such as NG"
            raise ValueError(message)
        return value

    @field_validator("code_word")
    @classmethod
    def _covert_word(cls, value: str) -> str:
        if telling_words(value):
            message = "tells what the message is about; choose another word"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _open_at_all(self) -> "MessageSettings":
        if self.first_hour >= self.last_hour:
            message = "last_hour: must be after first_hour"
            raise ValueError(message)
        return self

    def number_of(self, phone: str | None) -> str | None:
        """Return a phone in E.164; None if it receives no SMS."""
        return mobile_number(phone, self.region)
