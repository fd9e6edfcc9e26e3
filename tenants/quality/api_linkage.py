"""People recorded twice over the API: candidates, decisions, merges."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from core.access import TenantDb, require
from core.errors.family import Conflict
from core.errors.problem import responses
from core.identity import Principal
from core.web.location import set_job_location
from core.web.paging import Page, Paging
from tenants.quality import candidates, service
from tenants.quality.schemas import (
    CandidateOut,
    DecisionPost,
    IdentityOut,
    IdentityRow,
    JobAsked,
    MergedOut,
    MergePost,
    PatientMergePost,
    State,
)

router = APIRouter(tags=["people recorded twice"])

IdentitiesRead = Annotated[Principal, Depends(require("identities.read"))]
IdentitiesWrite = Annotated[Principal, Depends(require("identities.write"))]
QualityWrite = Annotated[Principal, Depends(require("quality.write"))]
DECIDED = responses(Conflict)


@router.post("/quality/links", operation_id="find_candidates", summary="Find people recorded twice", status_code=202)
def find_candidates(_: QualityWrite, db: TenantDb, response: Response) -> JobAsked:
    """By a job, among all patients of the tenant."""
    job_id = service.request_link(db)
    set_job_location(response, job_id)
    return JobAsked(job_id=job_id)


@router.get("/quality/candidates", operation_id="list_candidates", summary="List pairs who may be one person")
def list_candidates(
    _: IdentitiesRead,
    db: TenantDb,
    paging: Paging,
    state: Annotated[State, Query(description="In this state.")] = "pending",
) -> Page[CandidateOut]:
    """The most probable first. What is shown is recorded as read."""
    found = candidates.list_candidates(db, paging, state)
    return Page.of([CandidateOut.model_validate(each) for each in found.items], paging, found.total)


@router.get(
    "/quality/candidates/{candidate_uuid}", operation_id="get_candidate", summary="Get a pair with its evidence"
)
def get_candidate(_: IdentitiesRead, db: TenantDb, candidate_uuid: UUID) -> CandidateOut:
    """Which parts agree and differ, and what their care says; names stand in the patients' own records."""
    return CandidateOut.model_validate(candidates.read_candidate(db, candidate_uuid))


@router.post(
    "/quality/candidates/{candidate_uuid}/merge",
    operation_id="merge_candidate",
    summary="Merge the two: they are one person",
    responses=DECIDED,
)
def merge_candidate(_: IdentitiesWrite, db: TenantDb, candidate_uuid: UUID, body: MergePost) -> MergedOut:
    """From now on the facts of one count for the other; what is said of earlier days stays as it was."""
    return MergedOut.model_validate(candidates.merge_candidate(db, candidate_uuid, keep=body.keep, reason=body.reason))


@router.post(
    "/quality/candidates/{candidate_uuid}/refuse",
    operation_id="refuse_candidate",
    summary="Refuse the pair: they are two people",
    responses=DECIDED,
)
def refuse_candidate(_: IdentitiesWrite, db: TenantDb, candidate_uuid: UUID, body: DecisionPost) -> CandidateOut:
    """It does not come back until what agrees has changed."""
    return CandidateOut.model_validate(candidates.refuse_candidate(db, candidate_uuid, body.reason))


@router.get(
    "/patients/{patient_uuid}/identity",
    operation_id="get_identity",
    summary="Get the person for whom a patient's facts count",
)
def get_identity(_: IdentitiesRead, db: TenantDb, patient_uuid: UUID) -> IdentityOut:
    """Now, and every merge that the patient was part of."""
    merged, history = candidates.read_identity(db, patient_uuid)
    return IdentityOut(
        canonical_uuid=merged.canonical_uuid,
        members=merged.members,
        history=[IdentityRow.model_validate(row) for row in history],
    )


@router.post(
    "/patients/{patient_uuid}/merge",
    operation_id="merge_patient",
    summary="Merge a patient into another: they are one person",
    responses=DECIDED,
)
def merge_patient(_: IdentitiesWrite, db: TenantDb, patient_uuid: UUID, body: PatientMergePost) -> MergedOut:
    """For who knows without a candidate. From now on the facts of the patient count for the canonical one."""
    return MergedOut.model_validate(candidates.merge_patients(db, patient_uuid, body.canonical_uuid, body.reason))


@router.post("/patients/{patient_uuid}/unmerge", operation_id="unmerge_patient", summary="End a merge of the patient")
def unmerge_patient(_: IdentitiesWrite, db: TenantDb, patient_uuid: UUID, body: DecisionPost) -> MergedOut:
    """From now on the patient's facts count for the patient again; nothing was lost by the merge."""
    return MergedOut.model_validate(candidates.unmerge_patient(db, patient_uuid, body.reason))
