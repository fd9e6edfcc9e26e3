"""The routes of models, scores and lists."""

import secrets
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from core.clock import now
from tenants.records.ids import new_uuid
from tenants.risk import checks
from tenants.risk.feature_store import snapshots
from tenants.risk.models import AccuracyMonth, Prediction, RiskModel, Worklist, WorklistEntry
from tenants.risk.models_checks import ModelCheck
from tests.isolation.routes import Call, World, case

DAY = date(2025, 2, 1)


def _patient(world: World) -> Any:
    datim_id = f"R{uuid4().hex[:10]}"
    world.json("POST", "/v1/facilities", json={"datim_id": datim_id, "name": "Clinic"})
    body = {"facility": datim_id, "hospital_number": uuid4().hex[:10], "art_start_date": "2025-01-10", "sex": "F"}
    return world.json("POST", "/v1/patients", json=body)


def _facility(world: World) -> str:
    datim_id = f"R{uuid4().hex[:10]}"
    world.json("POST", "/v1/facilities", json={"datim_id": datim_id, "name": "Clinic"})
    return datim_id


def _model(world: World) -> str:
    row = RiskModel(
        uuid=new_uuid(), name="naive", plugin="naive", plugin_version="1", version=f"naive-{uuid4().hex[:8]}",
        state="candidate", trained_at=now(), features=[], calibrator={}, metrics={}, card={}, gates={},
        trained_by="test:1", state_changed_at=now(),
    )  # fmt: skip
    with world.session() as session:
        session.add(row)
    return str(row.uuid)


def _accuracy(world: World) -> str:
    decisions = 1_000_000_000 + secrets.randbelow(1_000_000_000)
    row = AccuracyMonth(
        month=DAY, decisions=decisions, patients=1, interrupted=1, listed=0, listed_interrupted=0, competing=0,
        mean_risk=0.5, figures={}, measured_at=now(),
    )  # fmt: skip
    with world.session() as session:
        session.merge(row)
    return str(decisions)


def _check(world: World, kind: str) -> str:
    row = ModelCheck(kind=kind, as_of=DAY, passed=True, patients=0, figures={}, measured_by="test:1")
    row.patients = 1_000_000_000 + secrets.randbelow(1_000_000_000)
    mark = str(row.patients)
    with world.session() as session:
        checks.store(session, row)
    return mark


def _snapshot(world: World) -> tuple[str, str]:
    """A snapshot of no patients: its id, and the hash of its file."""
    from core.database import tenant_session

    check = snapshots.take(world.tenant, lambda: tenant_session(world.tenant, actor="test:1"), date(2001, 1, 1))
    return str(check.uuid), str(check.blob_sha256)


def _prediction(world: World) -> str:
    row = Prediction(
        uuid=new_uuid(), patient_uuid=new_uuid(), facility_uuid=new_uuid(), as_of=DAY, kind="to_trace",
        expected_date=DAY, prediction_timestamp=now(), model_version="naive-0", risk_level="late",
    )  # fmt: skip
    with world.session() as session:
        session.add(row)
    return str(row.patient_uuid)


def _worklist(world: World) -> str:
    row = Worklist(
        uuid=new_uuid(), kind="to_trace", as_of=DAY, capacity=1, candidates=1, entries=1, model_version="naive-0",
        scored_at=now(), facilities=[], issued_by="test:1", issued_at=now(),
    )  # fmt: skip
    entry = WorklistEntry(
        uuid=new_uuid(), worklist_uuid=row.uuid, patient_uuid=new_uuid(), facility_uuid=new_uuid(), rank=1,
        expected_date=DAY, score=3, risk_level="late", reasons=[],
    )  # fmt: skip
    with world.session() as session:
        session.add(row)
        session.flush()
        session.add(entry)
    return str(row.uuid)


def _jobs(world: World) -> Any:
    return world.json("GET", "/v1/jobs")["total"]


def _scored(world: World, day: date) -> None:
    from core.database import tenant_session
    from tenants.risk.scoring import score

    score(world.tenant, lambda: tenant_session(world.tenant, actor="test:1"), day)


@case("POST", "/v1/risk/models", kind="own")
def train_models(world: World) -> Call:
    return Call(state=lambda: _jobs(world))


@case("GET", "/v1/risk/models", kind="collection")
def list_models(world: World) -> Call:
    return Call(marks=[_model(world)])


@case("GET", "/v1/risk/accuracy", kind="collection")
def list_accuracy(world: World) -> Call:
    return Call(marks=[_accuracy(world)])


@case("GET", "/v1/risk/models/{model_id}", kind="item")
def get_model(world: World) -> Call:
    return Call(path={"model_id": _model(world)})


@case("GET", "/v1/risk/models/{model_id}/evaluation", kind="item")
def get_model_evaluation(world: World) -> Call:
    return Call(path={"model_id": _model(world)})


def _champion(world: World) -> str:
    """A model that serves, while no other is compared."""
    from tests.tenants.risk.made_models import serve, small_model

    uuid = small_model(world.tenant, f"additive-{uuid4().hex[:8]}")
    serve(world.tenant, uuid)
    return str(uuid)


def _candidate(world: World) -> str:
    from tests.tenants.risk.made_models import small_model

    _champion(world)
    return str(small_model(world.tenant, f"additive-{uuid4().hex[:8]}"))


def _compared(world: World) -> str:
    from tenants.risk.registry import trials

    uuid = _candidate(world)
    with world.session() as session:
        trials.start_shadow(session, UUID(uuid))
    return uuid


@case("POST", "/v1/risk/models/roll-back", kind="item")
def roll_back_model(world: World) -> Call:
    from tenants.risk.registry import lifecycle

    lifecycle.promote(world.tenant, world.session, UUID(_candidate(world)))
    return Call(json={"note": "reviewed"}, rejected=409)


@case("POST", "/v1/risk/models/{model_id}/promotion", kind="item")
def promote_model(world: World) -> Call:
    return Call(path={"model_id": _candidate(world)}, json={"note": "reviewed"})


@case("POST", "/v1/risk/models/{model_id}/approval", kind="item")
def approve_model(world: World) -> Call:
    return Call(path={"model_id": _candidate(world)}, json={"note": "reviewed"})


@case("POST", "/v1/risk/models/{model_id}/retirement", kind="item")
def retire_model(world: World) -> Call:
    return Call(path={"model_id": _candidate(world)}, json={"note": "reviewed"})


@case("PUT", "/v1/risk/models/{model_id}/trial", kind="item")
def start_model_trial(world: World) -> Call:
    return Call(path={"model_id": _candidate(world)}, json={"kind": "shadow"})


@case("GET", "/v1/risk/models/{model_id}/trial", kind="item")
def get_model_trial(world: World) -> Call:
    return Call(path={"model_id": _compared(world)})


@case("DELETE", "/v1/risk/models/{model_id}/trial", kind="item")
def stop_model_trial(world: World) -> Call:
    return Call(path={"model_id": _compared(world)})


@case("GET", "/v1/risk/models/{model_id}/events", kind="item")
def list_model_events(world: World) -> Call:
    return Call(path={"model_id": _compared(world)})


@case("POST", "/v1/risk/scores", kind="own")
def score_patients(world: World) -> Call:
    return Call(json={"as_of": str(DAY)}, state=lambda: _jobs(world))


@case("GET", "/v1/risk/predictions", kind="collection")
def list_predictions(world: World) -> Call:
    return Call(params={"as_of": str(DAY)}, marks=[_prediction(world)])


@case("GET", "/v1/patients/{patient_id}/risk", kind="item")
def get_patient_risk(world: World) -> Call:
    return Call(path={"patient_id": _patient(world)["id"]}, params={"as_of": str(DAY)})


@case("POST", "/v1/worklists", kind="item")
def issue_worklist(world: World) -> Call:
    day = date(2025, 3, 1)
    facility = _facility(world)
    _scored(world, day)
    return Call(json={"kind": "at_risk", "as_of": str(day), "capacity": 5, "facility": facility}, rejected=422)


@case("GET", "/v1/worklists", kind="collection")
def list_worklists(world: World) -> Call:
    return Call(marks=[_worklist(world)])


@case("GET", "/v1/worklists/{worklist_id}", kind="item")
def get_worklist(world: World) -> Call:
    return Call(path={"worklist_id": _worklist(world)})


@case("GET", "/v1/worklists/{worklist_id}/file", kind="item")
def get_worklist_file(world: World) -> Call:
    return Call(path={"worklist_id": _worklist(world)})


HOLDOUT = {"share": 0.1, "reference": "NHREC/1", "approved_on": "2025-02-03", "approved_by": "Committee"}


@case("GET", "/v1/holdout", kind="collection")
def get_holdout(world: World) -> Call:
    reference = f"NHREC/{uuid4().hex}"
    world.json("PUT", "/v1/holdout", json={**HOLDOUT, "reference": reference})
    return Call(marks=[reference])


@case("PUT", "/v1/holdout", kind="own")
def approve_holdout(world: World) -> Call:
    return Call(json=HOLDOUT, state=lambda: world.json("GET", "/v1/holdout"))


@case("DELETE", "/v1/holdout", kind="own")
def end_holdout(world: World) -> Call:
    return Call(state=lambda: world.json("GET", "/v1/holdout"))


@case("GET", "/v1/risk/drift", kind="collection")
def list_drift(world: World) -> Call:
    return Call(marks=[_check(world, "drift")])


@case("GET", "/v1/risk/bias", kind="collection")
def list_bias(world: World) -> Call:
    return Call(marks=[_check(world, "bias")])


@case("GET", "/v1/risk/features", kind="collection")
def list_features(world: World) -> Call:
    return Call(marks=[_check(world, "features")])


@case("GET", "/v1/patients/{patient_id}/features", kind="item")
def get_patient_features(world: World) -> Call:
    return Call(path={"patient_id": _patient(world)["id"]}, params={"as_of": str(DAY)})


@case("POST", "/v1/risk/feature-snapshots", kind="own")
def take_feature_snapshot(world: World) -> Call:
    return Call(json={"as_of": str(DAY)}, state=lambda: _jobs(world))


@case("GET", "/v1/risk/feature-snapshots", kind="collection")
def list_feature_snapshots(world: World) -> Call:
    return Call(marks=[_snapshot(world)[1]])


@case("GET", "/v1/risk/feature-snapshots/{snapshot_id}/file", kind="item")
def get_feature_snapshot_file(world: World) -> Call:
    return Call(path={"snapshot_id": _snapshot(world)[0]})
