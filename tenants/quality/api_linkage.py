"""Routes of people recorded twice: candidates, decisions, merges."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from core.access import TenantDb, require
from core.errors.family import Conflict
from core.errors.problem import responses
from core.identity import Principal
from core.jobs.schemas import AcceptedJob
from core.web.location import set_job_location
from core.web.paging import Page, PageRequest, long_pages
from tenants.quality import candidates, service
from tenants.quality.schemas import (
    CandidateOut,
    DecisionPost,
    IdentityOut,
    IdentityRow,
    MergeOut,
    MergePost,
    PatientMergePost,
    State,
)

router = APIRouter(tags=["people recorded twice"])

IdentitiesRead = Annotated[Principal, Depends(require("identities.read"))]
IdentitiesWrite = Annotated[Principal, Depends(require("identities.write"))]
PairsRead = Annotated[Principal, Depends(require("identities.read", confined=True))]
PairsWrite = Annotated[Principal, Depends(require("identities.write", confined=True))]
QualityWrite = Annotated[Principal, Depends(require("quality.write"))]
Ordered = Annotated[
    PageRequest, Depends(long_pages({"probability": float, "found_at": datetime}, str(candidates.MOST_PROBABLE)))
]
DECIDED = responses(Conflict)


@router.post("/quality/links", operation_id="find_candidates", summary="Find people recorded twice", status_code=202)
def find_candidates(_: QualityWrite, db: TenantDb, response: Response) -> AcceptedJob:
    """Enqueue a job that compares all patients of the tenant."""
    job_id = service.request_link(db)
    set_job_location(response, job_id)
    return AcceptedJob(job_id=job_id)


@router.get("/quality/candidates", operation_id="list_candidates", summary="List pairs who may be one person")
def list_candidates(
    _: PairsRead,
    db: TenantDb,
    paging: Ordered,
    state: Annotated[State, Query(description="Only pairs in this state.")] = "pending",
) -> Page[CandidateOut]:
    """List pairs, the most probable first unless sorted. The audit records the read of both patients."""
    part = candidates.list_candidates(db, paging, state)
    return Page.of([CandidateOut.model_validate(each) for each in part.rows], paging, part.total, part.last)


@router.get("/quality/candidates/{candidate_id}", operation_id="get_candidate", summary="Get a pair with its evidence")
def get_candidate(_: PairsRead, db: TenantDb, candidate_id: UUID) -> CandidateOut:
    """Return which parts agree and differ, and what their care shows. Names are only in the patients' own records."""
    return CandidateOut.model_validate(candidates.read_candidate(db, candidate_id))


@router.post(
    "/quality/candidates/{candidate_id}/merge",
    operation_id="merge_candidate",
    summary="Merge the two: they are one person",
    responses=DECIDED,
)
def merge_candidate(_: IdentitiesWrite, db: TenantDb, candidate_id: UUID, body: MergePost) -> MergeOut:
    """Merge the pair: from now on the facts of one count for the other. Answers about earlier days do not change."""
    return MergeOut.model_validate(
        candidates.merge_candidate(db, candidate_id, keep=body.canonical_id, reason=body.reason)
    )


@router.post(
    "/quality/candidates/{candidate_id}/refuse",
    operation_id="refuse_candidate",
    summary="Refuse the pair: they are two people",
    responses=DECIDED,
)
def refuse_candidate(_: PairsWrite, db: TenantDb, candidate_id: UUID, body: DecisionPost) -> CandidateOut:
    """Decide that the two are two people. The pair stays refused until its evidence changes."""
    return CandidateOut.model_validate(candidates.refuse_candidate(db, candidate_id, body.reason))


@router.post(
    "/quality/candidates/{candidate_id}/undo",
    operation_id="undo_candidate_decision",
    summary="Undo the decision on a pair",
    responses=DECIDED,
)
def undo_candidate_decision(_: IdentitiesWrite, db: TenantDb, candidate_id: UUID, body: DecisionPost) -> CandidateOut:
    """Undo a refusal, or unmerge the two. The pair waits for a decision again."""
    return CandidateOut.model_validate(candidates.undo_decision(db, candidate_id, body.reason))


@router.get(
    "/patients/{patient_id}/identity",
    operation_id="get_identity",
    summary="Get the person for whom a patient's facts count",
)
def get_identity(_: IdentitiesRead, db: TenantDb, patient_id: UUID) -> IdentityOut:
    """Return the present canonical patient, and every merge of the patient."""
    identity, history = candidates.read_identity(db, patient_id)
    return IdentityOut(
        canonical_id=identity.canonical_id,
        members=identity.members,
        history=[IdentityRow.model_validate(row) for row in history],
    )


@router.post(
    "/patients/{patient_id}/merge",
    operation_id="merge_patient",
    summary="Merge a patient into another: they are one person",
    responses=DECIDED,
)
def merge_patient(_: IdentitiesWrite, db: TenantDb, patient_id: UUID, body: PatientMergePost) -> MergeOut:
    """Merge without a candidate, by your own knowledge. From now on the patient's facts count for the canonical one."""
    return MergeOut.model_validate(candidates.merge_patients(db, patient_id, body.canonical_id, body.reason))


@router.post("/patients/{patient_id}/unmerge", operation_id="unmerge_patient", summary="End a merge of the patient")
def unmerge_patient(_: IdentitiesWrite, db: TenantDb, patient_id: UUID, body: DecisionPost) -> MergeOut:
    """End the merge: from now on the patient's facts count for the patient again. The merge has lost nothing."""
    return MergeOut.model_validate(candidates.unmerge_patient(db, patient_id, body.reason))
