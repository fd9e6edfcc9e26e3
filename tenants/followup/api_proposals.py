"""Routes of proposed statuses: propose, list, verify and reject deaths and transfers."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from core.access import TenantDb, require
from core.errors import Conflict, Forbidden, NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.web.days import IsoDay
from core.web.location import set_location
from core.web.paging import Page, PageRequest, long_pages
from tenants.followup import proposals
from tenants.followup.models_team import StatusProposal
from tenants.followup.proposals import Decision, ProposedState

router = APIRouter(prefix="/status-proposals", tags=["status-proposals"])

ProposalsRead = Annotated[Principal, Depends(require("attempts.read", confined=True, by_patient=True))]
ProposalsWrite = Annotated[Principal, Depends(require("attempts.write", confined=True, by_patient=True))]
StatusesVerify = Annotated[Principal, Depends(require("statuses.verify", confined=True, by_patient=True))]
Ordered = Annotated[PageRequest, Depends(long_pages({"proposed_at": datetime}, str(proposals.NEWEST_FIRST)))]
DECISIONS = responses(NotFound, Forbidden, Conflict)


class ProposalPost(BaseModel):
    """A death or transfer to verify."""

    model_config = ConfigDict(extra="forbid")

    patient_id: UUID = Field(description="The patient.", examples=["019c2253-7220-70a7-a610-b4172b5ebaa1"])
    state: ProposedState = Field(description="What happened.", examples=["died"])
    happened_on: IsoDay = Field(description="The day on which it happened.", examples=["2026-02-03"])


class VerificationPost(BaseModel):
    """The verification of a proposal."""

    model_config = ConfigDict(extra="forbid")

    happened_on: IsoDay | None = Field(
        default=None, description="The day on which it happened; as proposed when left out.", examples=[None]
    )


class ProposalOut(BaseModel):
    """A proposed status."""

    id: UUID = Field(description="Identifier of the proposal.")
    patient_id: UUID = Field(description="The patient.")
    state: ProposedState = Field(description="What happened.", examples=["died"])
    happened_on: date = Field(description="The day on which it happened.", examples=["2026-02-03"])
    decision: Decision = Field(description="What the second person decided.", examples=["proposed"])
    proposed_at: datetime = Field(description="When it was proposed.")
    proposed_by: str = Field(description="Who proposed it.", examples=["person:019c2253-7220-70a7"])
    decided_at: datetime | None = Field(description="When it was decided.", examples=[None])
    decided_by: str | None = Field(description="Who decided it.", examples=[None])


@router.get("", operation_id="list_status_proposals", summary="List proposed statuses, newest first unless sorted")
def list_status_proposals(
    _: ProposalsRead,
    db: TenantDb,
    paging: Ordered,
    decision: Annotated[Decision | None, Query(description="With this decision.")] = None,
) -> Page[ProposalOut]:
    """Return one page of proposals. The audit records the read of each patient on it."""
    part = proposals.read_list(db, decision, paging)
    return Page.of([_shown(row) for row in part.rows], paging, part.total, part.last)


@router.post(
    "",
    operation_id="propose_status",
    status_code=201,
    summary="Propose that a patient died or was transferred",
    responses=responses(NotFound),
)
def propose_status(_: ProposalsWrite, db: TenantDb, body: ProposalPost, response: Response) -> ProposalOut:
    """Propose a status. An attempt with the outcome `died` or `transferred_out` proposes it, too."""
    row = proposals.propose(db, body.patient_id, body.state, body.happened_on)
    set_location(response, "/v1/status-proposals")
    return _shown(row)


@router.post(
    "/{proposal_id}/verify", operation_id="verify_status", summary="Verify a proposed status", responses=DECISIONS
)
def verify_status(_: StatusesVerify, db: TenantDb, proposal_id: UUID, body: VerificationPost) -> ProposalOut:
    """Verify a status that somebody else proposed. It is then in the records, and the patient's status follows."""
    return _shown(proposals.decide(db, proposal_id, "verified", body.happened_on))


@router.post(
    "/{proposal_id}/reject", operation_id="reject_status", summary="Reject a proposed status", responses=DECISIONS
)
def reject_status(_: StatusesVerify, db: TenantDb, proposal_id: UUID) -> ProposalOut:
    """Reject a status that somebody else proposed. The records stay as they are."""
    return _shown(proposals.decide(db, proposal_id, "rejected"))


def _shown(row: StatusProposal) -> ProposalOut:
    fields = row.model_dump() | {"id": row.uuid, "patient_id": row.patient_uuid}
    return ProposalOut.model_validate({name: fields[name] for name in ProposalOut.model_fields})
