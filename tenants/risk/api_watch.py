"""Routes of drift, bias and features."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from core import audit
from core.access import TenantDb, TenantScope, require
from core.identity import Principal
from core.jobs.schemas import AcceptedJob
from core.web.days import IsoDay
from core.web.location import set_job_location
from tenants.risk import checks
from tenants.risk.feature_store import listing, reading, snapshots
from tenants.risk.schemas_watch import (
    BiasOut,
    DriftOut,
    FeaturesOut,
    PatientFeaturesOut,
    SnapshotOut,
    SnapshotPost,
)
from tenants.risk.watch import request_snapshot

router = APIRouter(tags=["risk"])

RiskRead = Annotated[Principal, Depends(require("risk.read"))]
RiskOfReach = Annotated[Principal, Depends(require("risk.read", confined=True, by_patient=True))]
PatientsRead = Annotated[Principal, Depends(require("patients.read", confined=True, by_patient=True))]
RiskTrain = Annotated[Principal, Depends(require("risk.train"))]
AsOf = Annotated[IsoDay | None, Query(description="The day, with what was known then.", examples=["2026-09-30"])]


@router.get("/risk/drift", operation_id="list_drift", summary="List comparisons of days for drift, newest first")
def list_drift(_: RiskRead, db: TenantDb) -> list[DriftOut]:
    """Return the newest 100 comparisons of the people of a day with those of the half-year before it."""
    return [DriftOut.model_validate(row) for row in checks.list_checks(db, "drift")]


@router.get("/risk/bias", operation_id="list_bias", summary="List figures by group, newest first")
def list_bias(_: RiskRead, db: TenantDb) -> list[BiasOut]:
    """Return the figures by sex, age, facility and state of the newest 100 measurements, without small groups."""
    return [BiasOut.model_validate(row) for row in checks.list_checks(db, "bias")]


@router.get("/risk/features", operation_id="list_features", summary="List features with their distributions")
def list_features(_: RiskRead, db: TenantDb) -> FeaturesOut:
    """Return the definition of each feature, how its values lie, and whether both ways to compute it agree."""
    return listing.features(db)


@router.get(
    "/patients/{patient_id}/features",
    operation_id="get_patient_features",
    summary="Get a patient's features as known on a day",
)
def get_patient_features(
    _: RiskOfReach, __: PatientsRead, db: TenantDb, patient_id: UUID, as_of: AsOf = None
) -> PatientFeaturesOut:
    """Return the values that a model would have read on that day. The audit records the read."""
    return PatientFeaturesOut.model_validate(reading.read_patient(db, patient_id, as_of))


@router.post(
    "/risk/feature-snapshots",
    status_code=202,
    operation_id="take_feature_snapshot",
    summary="Create a snapshot of all features",
)
def take_feature_snapshot(_: RiskTrain, db: TenantDb, body: SnapshotPost, response: Response) -> AcceptedJob:
    """Enqueue a job that stores the features of everybody as known on a day. The same day replaces its snapshot."""
    job_id = request_snapshot(db, body.as_of)
    set_job_location(response, job_id)
    return AcceptedJob(job_id=job_id)


@router.get(
    "/risk/feature-snapshots",
    operation_id="list_feature_snapshots",
    summary="List snapshots of features, newest first",
)
def list_feature_snapshots(_: RiskRead, db: TenantDb) -> list[SnapshotOut]:
    """Return the newest 100 snapshots with their lineage."""
    return [SnapshotOut.model_validate(row) for row in checks.list_checks(db, "snapshot")]


@router.get(
    "/risk/feature-snapshots/{snapshot_id}/file",
    operation_id="get_feature_snapshot_file",
    summary="Download a snapshot of features",
    responses={200: {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}},
    response_class=Response,
)
def get_feature_snapshot_file(_: RiskTrain, scope: TenantScope, snapshot_id: UUID) -> Response:
    """Return one row for each expected contact, without names. The audit records the read of the whole."""
    with scope.session() as session:
        check = checks.get(session, "snapshot", snapshot_id)
        session.expunge(check)
    content = snapshots.read_file(scope.tenant, check)
    with scope.session() as session:
        audit.record(session, snapshots.READ, "snapshot", snapshot_id, {"as_of": check.as_of.isoformat()})
    headers = {"Content-Disposition": f'attachment; filename="features-{check.as_of.isoformat()}.csv"'}
    return Response(content, media_type="text/csv", headers=headers)
