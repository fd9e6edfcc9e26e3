"""Models, scores, reasons and lists over the API."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from itertools import chain
from tempfile import TemporaryFile
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from core import audit
from core.access import TenantDb, TenantScope, require
from core.errors import Forbidden
from core.identity import Principal
from core.jobs import enqueue
from core.web.days import IsoDay
from core.web.location import set_job_location, set_location
from core.web.paging import Page, PageRequest, Paging, long_pages
from core.web.streams import StreamedResponse, file_blocks
from tenants.cohort.presenting import as_of_day
from tenants.risk import explain, list_files, presenting, repository, worklist, worklist_repository
from tenants.risk.jobs import SCORE, TRAIN
from tenants.risk.schemas import (
    MOST_DAYS,
    JobAccepted,
    Kind,
    Level,
    ModelCard,
    ModelEvaluation,
    ModelOut,
    PredictionOut,
    RiskOut,
    ScorePost,
    WorklistDetail,
    WorklistOut,
    WorklistPost,
)
from tenants.risk.staleness import day_to_score

router = APIRouter(tags=["risk"])

RiskRead = Annotated[Principal, Depends(require("risk.read"))]
RiskOfReach = Annotated[Principal, Depends(require("risk.read", confined=True))]
RiskTrain = Annotated[Principal, Depends(require("risk.train"))]
RiskScore = Annotated[Principal, Depends(require("risk.score"))]
ListsRead = Annotated[Principal, Depends(require("worklists.read"))]
ListsWrite = Annotated[Principal, Depends(require("worklists.write"))]
PatientsRead = Annotated[Principal, Depends(require("patients.read"))]
Issued = Annotated[PageRequest, Depends(long_pages({"issued_at": datetime}, "-issued_at"))]
AsOf = Annotated[IsoDay | None, Query(description="The day, as known then.", examples=["2026-09-30"])]


@router.post("/risk/models", status_code=202, operation_id="train_models", summary="Train models on the records")
def train_models(_: RiskTrain, db: TenantDb, response: Response) -> JobAccepted:
    """Fits every kind of model, measures each on held-out later time, and promotes the one that earns it."""
    job_id = enqueue(db, TRAIN, {}, dedupe_key=TRAIN)
    set_job_location(response, job_id)
    return JobAccepted(job_id=job_id)


@router.get("/risk/models", operation_id="list_models", summary="List models, newest first")
def list_models(_: RiskRead, db: TenantDb, paging: Paging) -> Page[ModelOut]:
    """With their gates; the card of each has the figures."""
    rows, total = repository.list_models(db, paging)
    return Page.of([ModelOut.model_validate(row) for row in rows], paging, total)


@router.get("/risk/models/{model_id}", operation_id="get_model", summary="Get a model with its card")
def get_model(_: RiskRead, db: TenantDb, model_id: UUID) -> ModelCard:
    """Data, period, features, figures with intervals, limits, intended use."""
    return ModelCard.model_validate(repository.get_model(db, model_id))


@router.get(
    "/risk/models/{model_id}/evaluation",
    operation_id="get_model_evaluation",
    summary="Get how well a model did on later time",
)
def get_model_evaluation(_: RiskRead, db: TenantDb, model_id: UUID) -> ModelEvaluation:
    """As measured when it was trained; and since then, where an evaluation has measured it again."""
    return ModelEvaluation.of(repository.get_model(db, model_id))


@router.post("/risk/scores", status_code=202, operation_id="score_patients", summary="Score everybody as of a date")
def score_patients(_: RiskScore, db: TenantDb, body: ScorePost, response: Response) -> JobAccepted:
    """The same date scored again gives the same rows."""
    day = day_to_score(db, body.as_of).isoformat()
    job_id = enqueue(db, SCORE, {"as_of": day}, dedupe_key=f"{SCORE}:{day}")
    set_job_location(response, job_id)
    return JobAccepted(job_id=job_id)


@router.get("/risk/predictions", operation_id="list_predictions", summary="List scores")
def list_predictions(
    _: RiskOfReach,
    db: TenantDb,
    paging: Paging,
    as_of: AsOf = None,
    kind: Annotated[Kind | None, Query(description="One of the two lists.")] = None,
    risk_level: Annotated[Level | None, Query(description="Level by capacity, or state of those to be traced.")] = None,
    facility: Annotated[str | None, Query(description="DATIM id of a facility.", max_length=100)] = None,
    patient_id: Annotated[UUID | None, Query(description="One patient.")] = None,
    due_within: Annotated[
        int | None, Query(description="Only who is expected within so many days of the date.", ge=0, le=MOST_DAYS)
    ] = None,
) -> Page[PredictionOut]:
    """Newest date first, then by facility and rank. That each patient was read is recorded in the audit."""
    where = presenting.facility_named(db, facility, "query.facility")
    rows, total = repository.list_predictions(
        db,
        paging,
        as_of=as_of,
        kind=kind,
        risk_level=risk_level,
        facility=where,
        patient=patient_id,
        due_within=due_within,
    )
    audit.record_many(db, "risk:prediction:read", "patient", {row.patient_uuid for row in rows})
    return Page.of(presenting.predictions(db, rows), paging, total)


@router.get("/patients/{patient_id}/risk", operation_id="get_patient_risk", summary="Get a patient's risk, and why")
def get_patient_risk(
    _: RiskRead, __: PatientsRead, scope: TenantScope, patient_id: UUID, as_of: AsOf = None
) -> RiskOut:
    """Explained on demand, of what was known on the day. The read is recorded in the audit."""
    return RiskOut.model_validate(explain.explain(scope.tenant, scope.session, str(patient_id), as_of, by=scope.by))


@router.post("/worklists", status_code=201, operation_id="issue_worklist", summary="Issue a worklist")
def issue_worklist(
    _: ListsWrite, scope: TenantScope, body: WorklistPost, paging: Paging, response: Response
) -> WorklistDetail:
    """Cut to capacity per facility, and kept as issued. The same list of the same scoring is issued once.

    The answer has a page of its people.
    """
    with scope.session() as session:
        order = worklist.ordered(
            session,
            body.kind,
            as_of_day(session, body.as_of),
            capacity=body.capacity,
            facility=presenting.facility_named(session, body.facility, "body.facility"),
            due_within=body.due_within,
        )
    worklist_id = worklist.issue(scope.tenant, scope.session, order)
    with scope.session() as session:
        may_see = _may_see(scope.principal, None)
        people = presenting.shown(session, worklist_id, identities=may_see, paging=paging)
    path = f"/v1/worklists/{worklist_id}"
    set_location(response, path)
    return presenting.detail(people, paging.at(path))


@router.get("/worklists", operation_id="list_worklists", summary="List issued worklists, newest first")
def list_worklists(
    _: ListsRead,
    db: TenantDb,
    paging: Issued,
    as_of: AsOf = None,
    kind: Annotated[Kind | None, Query(description="One of the two lists.")] = None,
) -> Page[WorklistOut]:
    """Without their people."""
    part = worklist_repository.list_worklists(db, paging, as_of=as_of, kind=kind)
    return Page.of(presenting.worklists(db, part.rows), paging, part.total, part.last)


Names = Annotated[
    bool | None,
    Query(
        description="Names, phones, hospital numbers and programme identifiers, which `patients.read` lets see. Left "
        "out: shown to who may see them."
    ),
]
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The list as a file.",
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in list_files.MEDIA.values()},
    }
}


def _may_see(principal: Principal, asked: bool | None) -> bool:  # noqa: FBT001 - three answers
    """Whether names are shown: as asked for, and else to whoever may see them.

    Raises:
        Forbidden: they were asked for without the permission.
    """
    permitted = "patients.read" in principal.permissions
    if asked and not permitted:
        detail = "the permission patients.read is needed for identities=true"
        raise Forbidden(detail)
    return permitted if asked is None else asked


@router.get("/worklists/{worklist_id}", operation_id="get_worklist", summary="Get an issued worklist with its people")
def get_worklist(
    principal: ListsRead, db: TenantDb, worklist_id: UUID, paging: Paging, identities: Names = None
) -> WorklistDetail:
    """By facility and rank, a page at a time; the file has all.

    That each patient was read, with names or without, is recorded in the audit.
    """
    may_see = _may_see(principal, identities)
    return presenting.detail(presenting.shown(db, worklist_id, identities=may_see, paging=paging), paging)


@router.get(
    "/worklists/{worklist_id}/file",
    operation_id="get_worklist_file",
    summary="Download an issued worklist",
    responses=FILES,
    response_class=StreamedResponse,
)
def get_worklist_file(
    principal: ListsRead,
    scope: TenantScope,
    worklist_id: UUID,
    format: Annotated[  # noqa: A002 - the query's name
        Literal["csv", "xlsx", "html"], Query(description="`html` prints a page for each clinic.")
    ] = "csv",
    identities: Names = None,
) -> StreamedResponse:
    """The same people as rows, or on pages to print, sent clinic by clinic.

    That each patient was read is recorded in the audit.
    """
    clinics = presenting.by_clinic(scope.session, worklist_id, identities=_may_see(principal, identities))
    if format == "xlsx":
        with ExitStack() as unsent:
            file = unsent.enter_context(TemporaryFile())
            list_files.as_workbook(clinics, file)
            unsent.pop_all()  # closed when it has been sent
        blocks: Iterator[bytes] = file_blocks(file)
    else:
        pieces = list_files.pieces(format, clinics)
        blocks = chain((next(pieces),), pieces)  # what cannot be read is an error, not a broken file
    headers = {"Content-Disposition": f'attachment; filename="worklist-{worklist_id}.{format}"'}
    return StreamedResponse(scope.while_valid(blocks), media_type=list_files.MEDIA[format], headers=headers)
