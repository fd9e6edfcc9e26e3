"""Routes of the team: officers with their capacity and absences, and the sharing out of the lists."""

from dataclasses import asdict
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from core.access import TenantDb, require
from core.errors import NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.web.days import IsoDay
from core.web.location import set_location
from tenants.followup import sharing, team
from tenants.followup.models_team import OfficerAbsence
from tenants.records.repository import datim_ids

router = APIRouter(prefix="/officers", tags=["officers"])

TeamManage = Annotated[Principal, Depends(require("team.manage"))]
NO_SUCH = responses(NotFound)


class CapacityPut(BaseModel):
    """How many people of today's lists an officer follows at a facility."""

    model_config = ConfigDict(extra="forbid")

    facility: str = Field(description="DATIM id of the facility.", max_length=100, examples=["hZ7mJp5xUQq"])
    people: int | None = Field(ge=0, le=10_000, description="People a day; null: the officer takes no part there.")


class AbsencePost(BaseModel):
    """Days on which an officer is away."""

    model_config = ConfigDict(extra="forbid")

    first: IsoDay = Field(description="First day away.", examples=["2026-12-01"])
    last: IsoDay = Field(description="Last day away.", examples=["2026-12-14"])
    cover_id: UUID | None = Field(default=None, description="Who stands in; null: everybody.", examples=[None])


class AbsenceOut(BaseModel):
    """An absence that has not ended."""

    id: UUID = Field(description="Identifier of the absence.")
    first: date = Field(description="First day away.", examples=["2026-12-01"])
    last: date = Field(description="Last day away.", examples=["2026-12-14"])
    cover_id: UUID | None = Field(description="Who stands in; null: everybody.")


class CapacityOut(BaseModel):
    """The capacity of an officer at a facility."""

    facility: str = Field(description="DATIM id of the facility.", examples=["hZ7mJp5xUQq"])
    people: int = Field(description="People a day.", examples=[15])


class OfficerOut(BaseModel):
    """A person who follows patients."""

    id: UUID = Field(description="Identifier of the person.")
    name: str = Field(description="Name of the person.", examples=["Grace Example"])
    capacity: list[CapacityOut] = Field(description="Capacity by facility.")
    assigned: int = Field(description="People of today's lists who are assigned to the officer.", examples=[12])
    tried: int = Field(description="Those of them with an attempt today.", examples=[4])
    absences: list[AbsenceOut] = Field(description="Absences that have not ended.")


class SharedOutOut(BaseModel):
    """What a sharing out did."""

    assigned: int = Field(description="People whom nobody followed, and whom it assigned.", examples=[30])
    handed_over: int = Field(description="People of officers who are away without a cover.", examples=[3])
    given_back: int = Field(description="People whose own officer is there again.", examples=[1])
    left: int = Field(description="People whom it left to everybody, for lack of capacity.", examples=[2])


@router.get("", operation_id="list_officers", summary="List the people who follow patients, with capacity and load")
def list_officers(_: TeamManage, db: TenantDb) -> list[OfficerOut]:
    """Return the people who record attempts, by name."""
    everybody = team.officers(db)
    places = datim_ids(db, {facility for officer in everybody for facility in officer.capacity})
    return [
        OfficerOut(
            id=officer.id,
            name=officer.name,
            capacity=[CapacityOut(facility=places[uuid], people=people) for uuid, people in officer.capacity.items()],
            assigned=officer.assigned,
            tried=officer.tried,
            absences=[_shown(row) for row in officer.absences],
        )
        for officer in everybody
    ]


@router.put(
    "/{person_id}/capacity",
    operation_id="set_capacity",
    status_code=204,
    summary="Set the capacity of an officer at a facility",
    responses=NO_SUCH,
)
def set_capacity(_: TeamManage, db: TenantDb, person_id: UUID, body: CapacityPut) -> None:
    """Replace the officer's capacity at the facility."""
    team.set_capacity(db, person_id, body.facility, body.people)


@router.post(
    "/{person_id}/absences",
    operation_id="add_absence",
    status_code=201,
    summary="Record that an officer is away",
    responses=NO_SUCH,
)
def add_absence(_: TeamManage, db: TenantDb, person_id: UUID, body: AbsencePost, response: Response) -> AbsenceOut:
    """Record the days. The officer's people count as those of the cover until the last day."""
    row = team.add_absence(db, person_id, body.first, body.last, body.cover_id)
    set_location(response, "/v1/officers")
    return _shown(row)


@router.delete(
    "/absences/{absence_id}",
    operation_id="remove_absence",
    status_code=204,
    summary="Remove an absence",
    responses=NO_SUCH,
)
def remove_absence(_: TeamManage, db: TenantDb, absence_id: UUID) -> None:
    """Remove an absence: the officer is there again."""
    team.remove_absence(db, absence_id)


@router.post("/share-out", operation_id="share_out_lists", summary="Assign the people of today's lists to officers")
def share_out_lists(_: TeamManage, db: TenantDb) -> SharedOutOut:
    """Assign those whom nobody present follows to officers with capacity, by load. Again: only those who are left.

    People keep their officer. Those of an officer who is away without a cover are handed over, and go back afterwards.
    """
    return SharedOutOut.model_validate(asdict(sharing.share_out(db)))


def _shown(row: OfficerAbsence) -> AbsenceOut:
    return AbsenceOut(id=row.uuid, first=row.first_day, last=row.last_day, cover_id=row.cover_id)
