"""Routes of models, scores, reasons and lists."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, datetime
from itertools import chain
from tempfile import TemporaryFile
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from core import audit
from core.access import TenantDb, TenantScope, require
from core.errors import Forbidden
from core.idempotency import IN_STEPS
from core.identity import Principal
from core.jobs import enqueue
from core.jobs.schemas import AcceptedJob
from core.web.days import IsoDay
from core.web.location import set_job_location, set_location
from core.web.paging import Page, PageRequest, Paging, long_pages
from core.web.streams import StreamedResponse, file_blocks
from tenants.cohort.presenting import as_of_day
from tenants.records.service import patient_named
from tenants.risk import accuracy, explain, list_files, presenting, repository, worklist, worklist_repository
from tenants.risk.jobs import TRAIN, request_scoring
from tenants.risk.schemas import (
    MOST_DAYS,
    AccuracyOut,
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

router = APIRouter(tags=["risk"])

RiskRead = Annotated[Principal, Depends(require("risk.read"))]
RiskOfReach = Annotated[Principal, Depends(require("risk.read", confined=True, by_patient=True))]
RiskTrain = Annotated[Principal, Depends(require("risk.train"))]
RiskScore = Annotated[Principal, Depends(require("risk.score"))]
ListsRead = Annotated[Principal, Depends(require("worklists.read", confined=True, by_patient=True))]
ListsWrite = Annotated[Principal, Depends(require("worklists.write"))]
PatientsRead = Annotated[Principal, Depends(require("patients.read", confined=True, by_patient=True))]
Trained = Annotated[PageRequest, Depends(long_pages({"trained_at": datetime}, str(repository.NEWEST_MODELS)))]
Scored = Annotated[PageRequest, Depends(long_pages({"as_of": date, "rank": int}, "-as_of"))]
People = Annotated[
    PageRequest, Depends(long_pages({"facility": str}, str(worklist_repository.BY_FACILITY), identity=int))
]
Issued = Annotated[PageRequest, Depends(long_pages({"issued_at": datetime}, "-issued_at"))]
AsOf = Annotated[IsoDay | None, Query(description="The day, with what was known then.", examples=["2026-09-30"])]


@router.post("/risk/models", status_code=202, operation_id="train_models", summary="Train models on the records")
def train_models(_: RiskTrain, db: TenantDb, response: Response) -> AcceptedJob:
    """Enqueue a job that fits every kind of model, measures each on held-out later time, and promotes the best."""
    job_id = enqueue(db, TRAIN, {}, dedupe_key=TRAIN)
    set_job_location(response, job_id)
    return AcceptedJob(job_id=job_id)


@router.get("/risk/models", operation_id="list_models", summary="List models, newest first unless sorted")
def list_models(_: RiskRead, db: TenantDb, paging: Trained) -> Page[ModelOut]:
    """List models with their gates. The card of each model has the figures."""
    part = repository.list_models(db, paging)
    return Page.of([ModelOut.model_validate(row) for row in part.rows], paging, part.total, part.last)


@router.get("/risk/accuracy", operation_id="list_accuracy", summary="Compare the predictions with what happened")
def list_accuracy(_: RiskRead, db: TenantDb) -> list[AccuracyOut]:
    """Return, by month of decision, how the predictions whose outcome is known turned out, the newest month first."""
    return [AccuracyOut.model_validate(row) for row in accuracy.list_months(db)]


@router.get("/risk/models/{model_id}", operation_id="get_model", summary="Get a model with its card")
def get_model(_: RiskRead, db: TenantDb, model_id: UUID) -> ModelCard:
    """Return the model's data, period, features, figures with intervals, limits and intended use."""
    return ModelCard.model_validate(repository.get_model(db, model_id))


@router.get(
    "/risk/models/{model_id}/evaluation",
    operation_id="get_model_evaluation",
    summary="Get how well a model did on later time",
)
def get_model_evaluation(_: RiskRead, db: TenantDb, model_id: UUID) -> ModelEvaluation:
    """Return the figures from training and, if the model was evaluated again since, those of that evaluation."""
    return ModelEvaluation.of(repository.get_model(db, model_id))


@router.post("/risk/scores", status_code=202, operation_id="score_patients", summary="Score everybody as of a date")
def score_patients(_: RiskScore, db: TenantDb, body: ScorePost, response: Response) -> AcceptedJob:
    """Enqueue a job that scores everybody. Scoring the same date again gives the same rows."""
    job_id = request_scoring(db, body.as_of)
    set_job_location(response, job_id)
    return AcceptedJob(job_id=job_id)


@router.get("/risk/predictions", operation_id="list_predictions", summary="List scores, newest day first unless sorted")
def list_predictions(
    _: RiskOfReach,
    db: TenantDb,
    paging: Scored,
    as_of: AsOf = None,
    kind: Annotated[Kind | None, Query(description="Only predictions of this list.")] = None,
    risk_level: Annotated[Level | None, Query(description="Level by capacity, or state of people to trace.")] = None,
    facility: Annotated[str | None, Query(description="DATIM id of a facility.", max_length=100)] = None,
    patient_id: Annotated[UUID | None, Query(description="One patient.")] = None,
    due_within: Annotated[
        int | None, Query(description="Only people expected within this many days of the date.", ge=0, le=MOST_DAYS)
    ] = None,
) -> Page[PredictionOut]:
    """List predictions. To read one list from its top, sort by `rank` with `facility`, `kind` and `as_of`.

    Scores of the same day, or of the same rank, come in the order of their `id`. The audit records the read of each
    patient.
    """
    where = presenting.facility_named(db, facility)
    if patient_id is not None:
        patient_named(db, patient_id)
    part = repository.list_predictions(
        db,
        paging,
        as_of=as_of,
        kind=kind,
        risk_level=risk_level,
        facility=where,
        patient=patient_id,
        due_within=due_within,
    )
    audit.record_many(db, "risk:prediction:read", "patient", {row.patient_uuid for row in part.rows})
    return Page.of(presenting.predictions(db, part.rows), paging, part.total, part.last)


@router.get("/patients/{patient_id}/risk", operation_id="get_patient_risk", summary="Get a patient's risk, and why")
def get_patient_risk(
    _: RiskOfReach, __: PatientsRead, scope: TenantScope, patient_id: UUID, as_of: AsOf = None
) -> RiskOut:
    """Explain the risk from what was known on the day. The audit records the read."""
    return RiskOut.model_validate(
        explain.explain(scope.tenant, scope.session, str(patient_id), as_of, by=scope.by_at_once)
    )


@router.post(
    "/worklists", status_code=201, operation_id="issue_worklist", summary="Issue a worklist", dependencies=[IN_STEPS]
)
def issue_worklist(
    _: ListsWrite, scope: TenantScope, body: WorklistPost, paging: Paging, response: Response
) -> WorklistDetail:
    """Issue a list, cut to each facility's capacity, and store it. The same list of the same scoring is issued once.

    The answer has the first page of its people.
    """
    with scope.session() as session:
        order = worklist.order_for(
            session,
            body.kind,
            as_of_day(session, body.as_of),
            capacity=body.capacity,
            facility=presenting.facility_named(session, body.facility),
            due_within=body.due_within,
        )
    worklist_id = worklist.issue(scope.tenant, scope.session, order)
    path = f"/v1/worklists/{worklist_id}"
    set_location(response, path)
    page = paging.at(path, worklist_repository.BY_FACILITY)
    with scope.session() as session:
        may_see = _may_see(scope.principal, None)
        people = presenting.view(session, worklist_id, identities=may_see, paging=page)
    return presenting.detail(people, page)


@router.get("/worklists", operation_id="list_worklists", summary="List issued worklists, newest first")
def list_worklists(
    _: ListsRead,
    db: TenantDb,
    paging: Issued,
    as_of: AsOf = None,
    kind: Annotated[Kind | None, Query(description="Only lists of this kind.")] = None,
) -> Page[WorklistOut]:
    """List the issued lists without their people."""
    part = worklist_repository.list_worklists(db, paging, as_of=as_of, kind=kind)
    return Page.of(presenting.worklists(db, part.rows), paging, part.total, part.last)


Names = Annotated[
    bool | None,
    Query(
        description="Names, phones, hospital numbers and programme identifiers; needs `patients.read`. Default: shown "
        "to callers with that permission."
    ),
]
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The list as a file.",
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in list_files.MEDIA.values()},
    }
}


def _may_see(principal: Principal, requested: bool | None) -> bool:  # noqa: FBT001 - three answers
    """Whether to show names: as requested; by default, to everybody with the permission.

    Raises:
        Forbidden: they were requested without the permission.
    """
    permitted = "patients.read" in principal.permissions
    if requested and not permitted:
        detail = "identities=true needs the permission patients.read"
        raise Forbidden(detail)
    return permitted if requested is None else requested


@router.get("/worklists/{worklist_id}", operation_id="get_worklist", summary="Get an issued worklist with its people")
def get_worklist(
    principal: ListsRead, db: TenantDb, worklist_id: UUID, paging: People, identities: Names = None
) -> WorklistDetail:
    """Return a page of people, by the facility's DATIM id and rank; the file has all of them.

    The audit records the read of each patient, with or without names.
    """
    may_see = _may_see(principal, identities)
    return presenting.detail(presenting.view(db, worklist_id, identities=may_see, paging=paging), paging)


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
    """Return the people of a list as rows, or as pages to print, clinic by clinic.

    The audit records the read of each patient.
    """
    clinics = presenting.by_clinic(scope.session, worklist_id, identities=_may_see(principal, identities))
    if format == "xlsx":
        with ExitStack() as unsent:
            file = unsent.enter_context(TemporaryFile())
            list_files.as_workbook(clinics, file)
            unsent.pop_all()  # the response closes it after sending
        blocks: Iterator[bytes] = file_blocks(file)
    else:
        pieces = list_files.pieces(format, clinics)
        blocks = chain((next(pieces),), pieces)  # an unreadable record becomes an error, not a broken file
    headers = {"Content-Disposition": f'attachment; filename="worklist-{worklist_id}.{format}"'}
    return StreamedResponse(scope.while_valid(blocks), media_type=list_files.MEDIA[format], headers=headers)
