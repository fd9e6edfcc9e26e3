"""Answers of the API and the command line about partners' own statuses."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tenants.cohort.radet import REASONS, Comparison, same


class RadetDay(BaseModel):
    """A data date of RADETs, with people by status."""

    model_config = ConfigDict(from_attributes=True)

    data_date: date = Field(description="The day to which the RADETs run.")
    source: str = Field(description="Name of the source.", examples=["lamisplus"])
    facilities: int = Field(description="Facilities on the lists.", examples=[12])
    patients: int = Field(description="Patients on the lists.", examples=[919])
    statuses: dict[str, int] = Field(
        description="People by the partner's status.", examples=[{"active": 812, "iit": 96, "died": 11}]
    )


class ConfusionRow(BaseModel):
    """People of one facility by the partner's status and ours."""

    facility: str = Field(description="DATIM id.", examples=["hZ7mJp5xUQq"])
    theirs: str = Field(description="The partner's status, or not_on_list.", examples=["active_restart"])
    ours: str = Field(description="Our status, from what was known on the day.", examples=["active"])
    people: int = Field(description="Number of people.", examples=[15])
    agree: bool = Field(description="Whether both statuses mean the same.", examples=[True])


class ReasonCount(BaseModel):
    """A likely reason why list and records differ, with its number of people."""

    reason: str = Field(examples=["months_read_as_days"], description="Name of the reason.")
    meaning: str = Field(
        description="What it means, in one sentence.", examples=["the list's last pick-up is not in the records"]
    )
    people: int = Field(description="Number of people.")


class RadetComparison(BaseModel):
    """The comparison of a RADET with the records on its day."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "data_date": "2026-06-30",
                "compared": 1204,
                "agreed": 1189,
                "grace_days": 28,
                "counts": [
                    {"facility": "hZ7mJp5xUQq", "theirs": "active", "ours": "active", "people": 1093, "agree": True},
                    {"facility": "hZ7mJp5xUQq", "theirs": "iit", "ours": "iit", "people": 96, "agree": True},
                    {"facility": "hZ7mJp5xUQq", "theirs": "active", "ours": "iit", "people": 15, "agree": False},
                ],
                "reasons": [
                    {
                        "reason": "pickup_not_in_records",
                        "meaning": REASONS["pickup_not_in_records"],
                        "people": 15,
                    }
                ],
                "definition": "partner's status against ours at the end of the list's day, of what was known then",
            }
        }
    )

    data_date: date = Field(description="The day to which the RADET runs.")
    compared: int = Field(description="People on the list.")
    agreed: int = Field(description="People on the list with the same status in the records; Active Restart is active.")
    grace_days: int = Field(description="Days past the expected contact after which our status is IIT.")
    counts: list[ConfusionRow] = Field(description="People by facility and pair of statuses.")
    reasons: list[ReasonCount] = Field(description="Why list and records differ, as far as the platform can tell.")
    definition: str = Field(
        default="partner's status against ours at the end of the list's day, of what was known then",
        description="The definition behind the counts.",
    )


class RadetDisagreement(BaseModel):
    """A patient whose status differs between the list and the records."""

    model_config = ConfigDict(from_attributes=True)

    patient_id: UUID = Field(description="The patient.")
    facility: str = Field(description="DATIM id.", examples=["hZ7mJp5xUQq"])
    theirs: str = Field(description="The partner's status.", examples=["active"])
    ours: str = Field(description="The platform's status.", examples=["iit"])
    reason: str = Field(
        description="Why they differ, as far as the platform can tell.", examples=["pickup_not_in_records"]
    )
    last_pickup: date | None = Field(description="On the list.", examples=["2026-02-12"])
    days_supplied: int | None = Field(description="On the list, in days.", examples=[90])
    last_contact: date | None = Field(description="In the records.", examples=["2025-11-12"])
    expected: date | None = Field(description="In the records.", examples=["2026-02-10"])


class FlowRow(BaseModel):
    """People of a facility who changed from one status of the partner to another."""

    facility: str = Field(description="DATIM id.", examples=["hZ7mJp5xUQq"])
    before: str = Field(description="On the earlier list; not_on_list for newcomers.", examples=["active"])
    after: str = Field(description="On the later list; not_on_list where it lacks the person.", examples=["iit"])
    people: int = Field(description="Number of people.")


class RadetFlows(BaseModel):
    """Status changes between two RADETs, in the facilities that are on both."""

    start: date = Field(description="Day of the earlier RADET.", examples=["2025-12-31"])
    end: date = Field(description="Day of the later RADET.", examples=["2026-03-31"])
    flows: list[FlowRow] = Field(description="The changes, by facility.")


def comparison_out(comparison: Comparison) -> RadetComparison:
    """Return a comparison as the API shows it."""
    counts = [
        ConfusionRow(facility=place, theirs=theirs, ours=ours, people=people, agree=same(theirs, ours))
        for (place, theirs, ours), people in sorted(comparison.counts.items())
    ]
    reasons = [
        ReasonCount(reason=name, meaning=REASONS[name], people=people) for name, people in comparison.reasons.items()
    ]
    return RadetComparison(
        data_date=comparison.data_date,
        compared=comparison.compared,
        agreed=comparison.agreements,
        grace_days=comparison.grace_days,
        counts=counts,
        reasons=reasons,
    )


def flows_out(start: date, end: date, rows: Sequence[tuple[str, str, str, int]]) -> RadetFlows:
    """Return flows as the API shows them."""
    flows = [FlowRow(facility=place, before=before, after=after, people=n) for place, before, after, n in rows]
    return RadetFlows(start=start, end=end, flows=flows)
