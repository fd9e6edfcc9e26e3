"""Answers of the API about the cohort."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

Dimension = Literal["facility", "sex", "age", "time_on_art"]


class IndicatorRow(BaseModel):
    """The counts of one group of people."""

    group: dict[str, str] = Field(description="The group's label in each requested dimension; facilities by DATIM id.")
    counts: dict[str, int] = Field(
        description="TX_CURR = TX_CURR_start + TX_NEW + TX_RTT + transferred_in + first_seen"
        " + returned_after_transfer_out + from_unknown + other_in + aged_since_start - TX_ML - joined_and_lost"
        " - to_unknown - invalidated; the others are parts of these. TX_NEW is by age at the start of ART, the others"
        " by age at the end; aged_since_start is what this moves between age groups (below 0 where it moves people out,"
        " 0 in total)."
    )


class Indicators(BaseModel):
    """MER indicators of a period."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "start": "2026-07-01",
                "end": "2026-09-30",
                "as_of": "2026-09-30",
                "by": ["sex"],
                "rows": [{"group": {"sex": "F"}, "counts": {"TX_CURR_start": 410, "TX_NEW": 21, "TX_CURR": 416}}],
                "complete_through": "2026-10-02",
                "provisional": False,
                "provisional_facilities": [],
                "stale_facilities": [],
                "definition": "PEPFAR MER terms; IIT from day 29 past the expected contact",
            }
        }
    )

    start: date = Field(description="First day of the period.")
    end: date = Field(description="Last day of the period.")
    as_of: date = Field(
        description="The day to which the counts run: the end of the period, or the data date if the records end"
        " before. While the period runs, the counts are of the part so far.",
    )
    by: list[Dimension] = Field(description="Dimensions of the groups.")
    rows: list[IndicatorRow] = Field(description="One row per group.")
    complete_through: date | None = Field(description="Earliest complete-through date of the facilities not stale.")
    provisional: bool = Field(description="Some records end before the period does: counts may still change.")
    provisional_facilities: list[str] = Field(description="DATIM ids of the facilities whose records end before.")
    stale_facilities: list[str] = Field(description="DATIM ids of facilities that stopped reporting.")
    definition: str = Field(description="The definition behind the counts.")


class DayStatusOut(BaseModel):
    """People by status on a day, from what was known then."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "as_of": "2026-09-30",
                "patients": 1204,
                "statuses": {
                    "none": 12,
                    "active": 900,
                    "iit": 200,
                    "died": 28,
                    "transferred_out": 60,
                    "stopped": 0,
                    "unknown": 3,
                    "invalid": 1,
                },
                "pending": 850,
                "late": 50,
                "iit_to_trace": 200,
            }
        }
    )

    as_of: date = Field(description="The day that this describes.", examples=["2026-02-03"])
    patients: int = Field(description="Patients on record on that day.")
    statuses: dict[str, int] = Field(description="Patients by status.")
    pending: int = Field(description="Expected contacts on that day or later that are still open.")
    late: int = Field(description="People past the expected contact, within grace.")
    iit_to_trace: int = Field(description="People in IIT whose expected contact is known.")


class FacilityCompleteness(BaseModel):
    """The completeness of a facility's records."""

    facility: str = Field(description="DATIM id of the facility.", examples=["hZ7mJp5xUQq"])
    name: str = Field(description="Name of the facility.", examples=["Central clinic"])
    data_date: date | None = Field(description="The date to which the imported data run.")
    complete_through: date | None = Field(description="The date to which the reporting volume is complete.")
    stale: bool = Field(description="Whether the facility stopped reporting.", examples=[False])


StatusName = Literal["none", "active", "iit", "died", "transferred_out", "stopped", "unknown", "invalid"]
"""A name of ``tenants.cohort.status.STATUSES``."""


class TransitionOut(BaseModel):
    """A change of status."""

    from_status: StatusName = Field(description="Status before.", examples=["none"])
    to_status: StatusName = Field(description="Status after.", examples=["active"])
    date: Annotated[date, Field(description="Day of the change.")]
    reason: str = Field(description="Why the status changed.", examples=["new"])


class PatientStatus(BaseModel):
    """One patient's status on a day."""

    patient_id: UUID = Field(description="The patient.")
    as_of: date = Field(description="The day that this describes.", examples=["2026-02-03"])
    status: StatusName = Field(
        description="As known on that day; `unknown`: a contact is not readable, `invalid`: the source invalidated the"
        " record.",
        examples=["active"],
    )
    status_source: Literal["records", "partner"] = Field(
        description="`partner`: a contact is not readable, and the partner's own list gives the status."
    )
    day_known: bool = Field(
        description="False where the source gives no day for a death, transfer, stop or invalid record: the status"
        " counts from the day on which it was learned."
    )
    expected: date | None = Field(
        description="The expected contact that is pending or overdue.", examples=["2026-02-10"]
    )
    days_late: int | None = Field(
        description="Days past the expected contact; 0 when it is not past, null where it is unknown (IIT by the"
        " partner's own list alone).",
        examples=[0],
    )
    transitions: list[TransitionOut] = Field(
        description="As known now. The last one may lie ahead: the person will be in IIT that day if no contact comes."
    )


class PeriodCounts(BaseModel):
    """The counts of one period."""

    period: str = Field(description="The period, as the parameter `period` takes it.", examples=["2026Q3"])
    start: date = Field(description="First day of the period.", examples=["2026-07-01"])
    end: date = Field(description="Last day of the period.", examples=["2026-09-30"])
    as_of: date = Field(
        description="The day to which the counts run: the end of the period, or the data date if the records end"
        " before. While the period runs, the counts are of the part so far.",
        examples=["2026-09-30"],
    )
    counts: dict[str, int] = Field(
        description="The counts, as in the indicators of one period.", examples=[{"TX_CURR": 416, "TX_NEW": 21}]
    )


class IndicatorTrend(BaseModel):
    """MER indicators of periods that follow each other."""

    periods: list[PeriodCounts] = Field(description="The periods, the oldest first.")
    complete_through: date | None = Field(
        description="Earliest complete-through date of the facilities not stale.", examples=["2026-10-02"]
    )
    provisional: bool = Field(
        description="Some records end before the last period does: its counts may still change.", examples=[False]
    )
    definition: str = Field(
        description="The definition behind the counts.",
        examples=["PEPFAR MER terms; IIT from day 29 past the expected contact"],
    )


class IndicatorPerson(BaseModel):
    """A person who makes a count."""

    model_config = ConfigDict(from_attributes=True)

    patient_id: UUID = Field(description="The patient.")
    facility: str = Field(description="DATIM id.", examples=["hZ7mJp5xUQq"])
    sex: str | None = Field(description="F, M, or null where it is not recorded.", examples=["F"])
    as_of: date = Field(
        description="The end of the period, or the data date if the records end before.", examples=["2026-09-30"]
    )
    age: int | None = Field(description="Completed years on `as_of`.", examples=[34])
    status: str = Field(description="Status on `as_of`, as known now.", examples=["iit"])
    since: date = Field(description="The day of that status.", examples=["2026-08-14"])
    viral_load: float | None = Field(
        description="The latest result of the 12 months to `as_of`, copies/mL.", examples=[40.0]
    )
