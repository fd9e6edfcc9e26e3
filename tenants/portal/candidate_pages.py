"""Pages of patients who may be recorded twice: the pairs, two records beside each other, the decision and its undo."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.errors import AppError, Conflict, Invalid
from core.identity import Principal
from core.web.pages import SEE_OTHER
from core.web.paging import Page as ListPage
from core.web.paging import PageRequest, long_pages
from tenants.portal import data_words
from tenants.portal.import_pages import DATA
from tenants.quality import candidates
from tenants.quality.candidates import Side
from tenants.records import service as records
from tenants.records.repository import facility_names
from tenants.records.schemas import PatientOut

router = APIRouter()

PairsRead = Annotated[Principal, Depends(require("identities.read", confined=True))]
PairsWrite = Annotated[Principal, Depends(require("identities.write", confined=True))]
IdentitiesWrite = Annotated[Principal, Depends(require("identities.write"))]
Ordered = Annotated[
    PageRequest, Depends(long_pages({"probability": float, "found_at": datetime}, str(candidates.MOST_PROBABLE)))
]
State = Literal["pending", "merged", "refused"]
Reason = Annotated[str, Form(max_length=500)]

SAME: Final = "one person, by comparison of the two records"
DIFFERENT: Final = "two people, by comparison of the two records"
UNDONE: Final = "the decision was undone"


@router.get("/data/candidates")
def show_candidates(
    page: Page,
    principal: PairsRead,
    scope: TenantScope,
    paging: Ordered,
    state: Annotated[State, Query()] = "pending",
    done: UUID | None = None,
) -> HTMLResponse:
    """Show the pairs in a state, the most probable first. ``done`` is the pair that was just decided."""
    with scope.session() as session:
        part = candidates.list_candidates(session, paging, state)
        names = facility_names(session, {side.facility or "" for pair in part.rows for side in pair.patients})
    listed = ListPage[dict[str, Any]].of([], paging, part.total, part.last)
    return page.render(
        "portal/data/candidates.html",
        principal,
        partner=scope.tenant.name,
        current=DATA,
        pairs=part.rows,
        total=part.total,
        state=state,
        listed=listed,
        clinics=names,
        done=done,
        may_undo=_may_merge(principal),
        words=data_words,
    )


@router.get("/data/candidates/{candidate_id}")
def show_candidate(page: Page, _: PairsRead, scope: TenantScope, candidate_id: UUID) -> HTMLResponse:
    """Show the two records of a pair beside each other."""
    return _candidate_page(page, scope, candidate_id)


@router.post("/data/candidates/{candidate_id}/same")
def post_same(
    page: Page,
    _: IdentitiesWrite,
    __: PairsRead,
    scope: TenantScope,
    candidate_id: UUID,
    keep: Annotated[UUID | None, Form()] = None,
    reason: Reason = "",
) -> Response:
    """Merge the two: they are one person."""
    try:
        with scope.session() as session:
            candidates.merge_candidate(session, candidate_id, keep=keep, reason=reason.strip() or SAME)
    except (Conflict, Invalid) as error:
        return _candidate_page(page, scope, candidate_id, error)
    return _next(candidate_id)


@router.post("/data/candidates/{candidate_id}/different")
def post_different(
    page: Page, _: PairsWrite, __: PairsRead, scope: TenantScope, candidate_id: UUID, reason: Reason = ""
) -> Response:
    """Refuse the pair: they are two people."""
    try:
        with scope.session() as session:
            candidates.refuse_candidate(session, candidate_id, reason.strip() or DIFFERENT)
    except Conflict as error:
        return _candidate_page(page, scope, candidate_id, error)
    return _next(candidate_id)


@router.post("/data/candidates/{candidate_id}/undo")
def post_undo(page: Page, _: IdentitiesWrite, __: PairsRead, scope: TenantScope, candidate_id: UUID) -> Response:
    """Undo the decision on the pair."""
    try:
        with scope.session() as session:
            candidates.undo_decision(session, candidate_id, UNDONE)
    except Conflict as error:
        return _candidate_page(page, scope, candidate_id, error)
    return RedirectResponse(f"/data/candidates/{candidate_id}", SEE_OTHER)


def _next(candidate_id: UUID) -> RedirectResponse:
    return RedirectResponse(f"/data/candidates?done={candidate_id}", SEE_OTHER)


def _may_merge(principal: Principal) -> bool:
    """Whether the principal may merge: a merge concerns all facilities."""
    return "identities.write" in principal.permissions and principal.reach.everything


def _candidate_page(page: PageContext, scope: Scope, candidate_id: UUID, error: AppError | None = None) -> HTMLResponse:
    principal = scope.principal
    with scope.session() as session:
        pair = candidates.read_candidate(session, candidate_id)
        names = facility_names(session, {side.facility or "" for side in pair.patients})
    sees_names = "patients.read" in principal.permissions and all(side.facility for side in pair.patients)
    patients = [_patient(scope, side) if sees_names else None for side in pair.patients]
    return page.render(
        "portal/data/candidate.html",
        principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current=DATA,
        pair=pair,
        rows=data_words.side_rows(patients, pair.patients, names),
        sees_names=sees_names,
        error=error,
        may_merge=_may_merge(principal),
        may_refuse="identities.write" in principal.permissions,
        words=data_words,
    )


def _patient(scope: Scope, side: Side) -> PatientOut:
    """One of the two records. The audit records the read."""
    return PatientOut.model_validate_json(records.read_patient(scope, side.patient_id, None)[1])
