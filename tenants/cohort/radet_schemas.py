"""What the API and the command line say of partners' own statuses."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tenants.cohort.radet import REASONS, Comparison, same


class RadetDay(BaseModel):
    """A day to which RADETs ran, and what they say in numbers."""

    model_config = ConfigDict(from_attributes=True)

    data_date: date = Field(description="The day to which the RADETs run.")
    source: str = Field(description="Name of the source.", examples=["lamisplus"])
    facilities: int = Field(description="Facilities on the lists.")
    patients: int = Field(description="Patients on the lists.")
    statuses: dict[str, int] = Field(
        description="People by the partner's status.", examples=[{"active": 812, "iit": 96, "died": 11}]
    )


class ConfusionRow(BaseModel):
    """People of one facility by the partner's status and ours."""

    facility: str = Field(description="DATIM id.", examples=["hZ7mJp5xUQq"])
    theirs: str = Field(description="The partner's status, or not_on_list.", examples=["active_restart"])
    ours: str = Field(description="Of what was known on the day.", examples=["active"])
    people: int = Field(description="Number of people.")
    agree: bool = Field(description="Whether both statuses mean the same.")


class ReasonCount(BaseModel):
    """Why list and records differ, as far as it can be told."""

    reason: str = Field(examples=["months_read_as_days"], description="Name of the reason.")
    meaning: str = Field(
        description="What it means, in one sentence.", examples=["the list's last pick-up is not in the records"]
    )
    people: int = Field(description="Number of people.")


class RadetComparison(BaseModel):
    """A RADET against the records on its day."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "data_date": "2026-06-30",
                "compared": 1204,
                "agreed": 1189,
                "grace_days": 28,
                "counts": [{"facility": "abc123", "theirs": "active", "ours": "iit", "people": 9, "agree": False}],
                "reasons": [{"reason": "pickup_not_in_records", "meaning": "...", "people": 9}],
                "definition": "partner's status against ours of what was known on the day",
            }
        }
    )

    data_date: date = Field(description="The day to which the RADET runs.")
    compared: int = Field(description="People on the list.")
    agreed: int = Field(description="People on the list of whom both say the same; Active Restart is active.")
    grace_days: int = Field(description="Days past the expected contact after which we say IIT.")
    counts: list[ConfusionRow] = Field(description="People by facility and pair of statuses.")
    reasons: list[ReasonCount] = Field(description="Why list and records differ, as far as the platform can tell.")
    definition: str = Field(
        default="partner's status against ours at the end of the list's day, of what was known then",
        description="The definition behind the counts.",
    )


class RadetDisagreement(BaseModel):
    """A patient of whom list and records say different things."""

    model_config = ConfigDict(from_attributes=True)

    patient_uuid: UUID = Field(description="The patient.")
    facility: str = Field(description="DATIM id.", examples=["hZ7mJp5xUQq"])
    theirs: str = Field(description="The partner's status.", examples=["active"])
    ours: str = Field(description="The platform's status.", examples=["iit"])
    reason: str = Field(
        description="Why they differ, as far as the platform can tell.", examples=["pickup_not_in_records"]
    )
    last_pickup: date | None = Field(description="On the list.", examples=["2025-11-12"])
    days_supplied: int | None = Field(description="On the list, in days.", examples=[90])
    last_contact: date | None = Field(description="In the records.", examples=["2025-11-12"])
    expected: date | None = Field(description="In the records.", examples=["2026-02-10"])


class FlowRow(BaseModel):
    """People of a facility who passed from one status of the partner to another."""

    facility: str = Field(description="DATIM id.", examples=["hZ7mJp5xUQq"])
    before: str = Field(description="On the earlier list; not_on_list for newcomers.", examples=["active"])
    after: str = Field(description="On the later list; not_on_list for those it does not name.", examples=["iit"])
    people: int = Field(description="Number of people.")


class RadetFlows(BaseModel):
    """Status changes between two RADETs, in the facilities that are on both."""

    start: date = Field(description="Day of the earlier RADET.", examples=["2025-12-31"])
    end: date = Field(description="Day of the later RADET.", examples=["2026-03-31"])
    flows: list[FlowRow] = Field(description="The changes, by facility.")


def comparison_out(found: Comparison) -> RadetComparison:
    """A comparison in the words of the API."""
    counts = [
        ConfusionRow(facility=place, theirs=theirs, ours=ours, people=people, agree=same(theirs, ours))
        for (place, theirs, ours), people in sorted(found.counts.items())
    ]
    reasons = [ReasonCount(reason=name, meaning=REASONS[name], people=people) for name, people in found.reasons.items()]
    return RadetComparison(
        data_date=found.data_date,
        compared=found.compared,
        agreed=found.agreed,
        grace_days=found.grace_days,
        counts=counts,
        reasons=reasons,
    )


def flows_out(start: date, end: date, rows: Sequence[tuple[str, str, str, int]]) -> RadetFlows:
    """Flows in the words of the API."""
    made = [FlowRow(facility=place, before=before, after=after, people=n) for place, before, after, n in rows]
    return RadetFlows(start=start, end=end, flows=made)
