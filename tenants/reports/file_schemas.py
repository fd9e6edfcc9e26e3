"""Requests and answers of the API about files of reports and their schedules."""

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.web.days import IsoDay

Kind = Literal["line-list", "radet", "mer", "dhis2"]
Format = Literal["csv", "xlsx", "pdf", "json"]
State = Literal["waiting", "made", "failed", "expired"]

FORMATS: dict[str, tuple[str, ...]] = {
    "line-list": ("csv", "xlsx", "pdf"),
    "radet": ("csv", "xlsx"),
    "mer": ("csv", "xlsx", "pdf"),
    "dhis2": ("json",),
}
"""The formats of each kind, the usual one first."""

LISTS = ("line-list", "radet")

Facility = Annotated[
    str | None, Field(description="DATIM id of one facility. Default: all.", examples=["hZ7mJp5xUQq"], max_length=100)
]


class ReportChoice(BaseModel):
    """A kind of report in a format."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = Field(description="The report: a list of people, MER tables, or a DHIS2 data value set.")
    format: Format = Field(description="csv, xlsx; pdf too, but not of a RADET; json of a data value set alone.")
    facility: Facility = None
    identifiers: bool = Field(
        default=False, description="Of a line list: include programme identifier and hospital number."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.kind, self.format) == ("radet", "pdf"):
            message = "format: a RADET has 91 columns, which no page holds; choose xlsx, or a line list as pdf"
            raise ValueError(message)
        if self.format not in FORMATS[self.kind]:
            message = f"format: {self.kind} comes as {' or '.join(FORMATS[self.kind])}"
            raise ValueError(message)
        if self.identifiers and self.kind != "line-list":
            message = "identifiers: only a line list has this choice"
            raise ValueError(message)
        return self


class ReportFilePost(ReportChoice):
    """A report to make now."""

    as_of: IsoDay | None = Field(
        default=None,
        description="Of lists: the day, with what was known then. Default: today.",
        examples=["2026-09-30"],
    )
    period: str | None = Field(
        default=None,
        description="Of MER tables and data value sets: 2026Q3, FY26Q4, 2026-08, 2026 or FY26.",
        examples=[None],
        max_length=20,
    )

    @model_validator(mode="after")
    def _has_its_time(self) -> Self:
        is_list = self.kind in LISTS
        if is_list and self.period is not None:
            message = "period: a list is of a day; give as_of"
            raise ValueError(message)
        if not is_list and (self.as_of is not None or self.period is None):
            message = "period: this report is of a period; give period, and no as_of"
            raise ValueError(message)
        return self


class SchedulePost(ReportChoice):
    """A report to make each week or month: lists of that day, tables of the last period that the records cover."""

    period: Literal["month", "quarter"] = Field(
        default="month",
        description="Of MER tables and data value sets: the last month or quarter that the records cover to its end.",
    )
    every: Literal["week", "month"] = Field(description="How often.")
    on_day: int = Field(ge=1, le=28, description="Day of the month, or of the week (1 is Monday).", examples=[5])
    at_hour: int = Field(ge=0, le=23, description="Hour of the day in the tenant's time zone.", examples=[6])
    recipient_ids: list[UUID] = Field(
        default_factory=list,
        max_length=50,
        description="People of the tenant who get a mail with a link when a file is there: those who may read it then.",
    )

    @model_validator(mode="after")
    def _has_its_day(self) -> Self:
        if self.every == "week" and self.on_day > 7:  # noqa: PLR2004 - days of a week
            message = "on_day: a week has days 1 to 7"
            raise ValueError(message)
        if len(set(self.recipient_ids)) != len(self.recipient_ids):
            message = "recipient_ids: a person appears twice"
            raise ValueError(message)
        return self


class ReportFileOut(BaseModel):
    """A report that a job makes, and its file."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The report.")
    kind: Kind = Field(description="What it is.")
    format: Format = Field(description="Format of the file.")
    facility: str | None = Field(
        description="DATIM id of the facility; null for all within reach of who asked.", examples=["hZ7mJp5xUQq"]
    )
    as_of: date | None = Field(description="The day of a list.", examples=["2026-09-30"])
    period: str | None = Field(description="The period of tables.", examples=[None])
    counted_to: date | None = Field(
        description="The day to which the tables count, if their period goes on; else null.", examples=[None]
    )
    identifiers: bool = Field(description="Whether it has programme identifiers.", examples=[False])
    state: State = Field(description="`waiting` for its job, `made`, `failed`, or `expired`: the file is gone.")
    problem: str | None = Field(description="Why it failed.", examples=[None])
    requested_at: datetime = Field(description="When it was asked for.")
    made_at: datetime | None = Field(description="When its file was there.", examples=[None])
    expires_at: datetime | None = Field(description="When its file is removed.", examples=[None])
    size: int | None = Field(description="Bytes of the file.", examples=[None])
    schedule_id: UUID | None = Field(
        description="The schedule that asked for it; null where somebody did.", examples=[None]
    )


class ScheduleOut(BaseModel):
    """A report that is made each week or month."""

    id: UUID = Field(description="The schedule.")
    kind: Kind = Field(description="What is made.")
    format: Format = Field(description="Format of the file.")
    facility: str | None = Field(
        description="DATIM id of the facility; null for all within reach of who made it.", examples=["hZ7mJp5xUQq"]
    )
    identifiers: bool = Field(description="Whether it has programme identifiers.", examples=[False])
    period: Literal["month", "quarter"] = Field(
        description="The period of tables: the last that the records cover to its end."
    )
    every: Literal["week", "month"] = Field(description="How often.")
    on_day: int = Field(description="Day of the month, or of the week (1 is Monday).", examples=[5])
    at_hour: int = Field(description="Hour of the day in the tenant's time zone.", examples=[6])
    next_at: datetime = Field(description="When it is due next.")
    recipient_ids: list[UUID] = Field(description="People who get a mail when a file is there.")
    stopped_at: datetime | None = Field(description="When it stopped by itself; null while it runs.", examples=[None])
    stopped_why: Literal["creator", "permission", "reach", "length"] | None = Field(
        description="Why it stopped: its creator left or was deactivated (`creator`), may no longer schedule or read"
        " such reports (`permission`), or reaches none of its facilities (`reach`); or its list has become too long"
        " for pdf (`length`): schedule it as xlsx or csv, or for one facility.",
        examples=[None],
    )
