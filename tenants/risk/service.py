"""Training and evaluation of a tenant's models: read, fit with no transaction open, store and promote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core import audit
from core.clock import now
from core.database import SessionOpener, TenantSession
from core.errors import NotFound
from core.tenancy import settings as tenant_settings
from tenants.cohort.load import load_timelines
from tenants.cohort.repository import complete_days
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import NO_DAY, day_number, to_date
from tenants.records.ids import new_uuid
from tenants.risk import cards, naive, repository, serving
from tenants.risk.dataset import Dataset, Told, build
from tenants.risk.evaluation import measure, naive_evaluation
from tenants.risk.models import RiskModel
from tenants.risk.settings import RiskSettings

if TYPE_CHECKING:
    from datetime import datetime

    from core.blobs import BlobRef
    from core.database import TenantRef
    from plugins.sdk import Artifact, FittedModel, TrainingData
    from tenants.cohort.settings import CohortSettings
    from tenants.risk.training import Candidate, Failure, Training

"""Opens a transaction of the tenant."""
SEED = 20
FIT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training stored.

    Attributes:
        models: of each candidate its version, state, gates and main figures.
        preferred: version of the model that scores now.
        why: in words.
        too_young: why nothing was fitted; empty where something was.
        folds: sizes and periods.
        outcomes: of the test period, competing ones among them.
        unseen: evaluations on patients and facilities kept out of training.
        naive: the naive rule's ranking on held-out time.
        failures: kinds of model that could not be trained, and why.
    """

    models: list[dict[str, Any]]
    preferred: str
    why: str
    too_young: str
    folds: dict[str, Any]
    outcomes: dict[str, int]
    unseen: dict[str, Any]
    naive: dict[str, Any] | None
    failures: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class _Loaded:
    data: Dataset
    rules: CohortSettings
    names: dict[int, str]
    through: int | None


def train(tenant: TenantRef, open_session: SessionOpener, told: Told | None = None) -> Trained:
    """Fit every kind of model on the tenant's history, store all, and promote the one that earns it.

    The records are read in one transaction, the fitting runs with none open, and the models are stored in another.
    Where no fitted model passes its gates, the preferred one stays; the naive rule serves where there is none.
    """
    from core import blobs, plugins
    from tenants.risk import training as fitting

    loaded = _load(open_session, told)

    def fit(name: str, data: TrainingData, seed: int) -> tuple[Artifact, FittedModel, str]:
        artifact = plugins.fit_in_process(name, data, {}, seed, FIT_SECONDS)
        kind = plugins.models()[name]
        return artifact, kind.load(artifact), kind.version

    def say(note: str) -> None:
        if told is not None:
            told(0, None, note)

    found = fitting.train(loaded.data, fit, list(plugins.models()), loaded.names, say)
    stored: list[str] = []
    try:
        references: list[BlobRef | None] = []
        for candidate in found.candidates:
            reference = None
            if candidate.artifact is not None:
                reference = blobs.put(tenant, f"model-{candidate.name}.zip", plugins.pack(candidate.artifact))
                stored.append(reference.key)
            references.append(reference)
        with open_session() as session:
            return _store(session, found, loaded, references)
    except BaseException:
        for key in stored:
            blobs.delete(tenant, key)
        raise


def evaluate(tenant: TenantRef, open_session: SessionOpener, told: Told | None = None) -> dict[str, Any]:
    """Measure the model that scores on all resolved decisions made after the time it was trained and calibrated on.

    Raises:
        NotFound: nothing was trained yet, or nothing has been resolved since.
    """
    with open_session() as session:
        row = serving.preferred(session)
    if row is None:
        detail = "no model has been trained for this tenant"
        raise NotFound(detail, remedy="train models first")
    model = serving.load(tenant, row)
    loaded = _load(open_session, told)
    data = loaded.data
    later = row.trained_through
    held = data.where(data.labelled & (data.day > (day_number(later) if later else NO_DAY)))
    if len(held) == 0 or not 0 < int((held.y == 1).sum()) < len(held):
        detail = "no decisions with both outcomes have been resolved since the model was trained"
        raise NotFound(detail, remedy="import newer records first")
    risk = model.raw_and_risk(held.X.astype(np.float64))[1]
    measured = measure(risk, held, loaded.names, SEED)
    found = {
        "model_version": row.version,
        "model_kind": row.name,
        "trained_through": row.trained_through,
        "records_complete_through": to_date(loaded.through) if loaded.through is not None else None,
        "decisions_from": to_date(int(held.day.min())),
        "decisions_to": to_date(int(held.day.max())),
        **measured.to_json(),
        "naive_rule": naive_evaluation(held, SEED).to_json(),
        "outcomes": data.where(data.day >= int(held.day.min())).outcomes(),
        "gates_when_trained": row.gates,
    }
    with open_session() as session:
        repository.keep_evaluation(session, row.uuid, found)
        audit.record(session, "risk:model:evaluate", "model", row.uuid, {"version": row.version})
    return found


def _load(open_session: SessionOpener, told: Told | None) -> _Loaded:
    with open_session() as session:
        rules = cohort_settings(session)
        wanted = tenant_settings.get(session, RiskSettings)
        complete = complete_days(session)
        names = {index: row["datim_id"] for index, row in enumerate(repository.facility_facts(session))}
        data, _ = build(
            lambda: load_timelines(session),
            rules,
            complete,
            years=wanted.training_years,
            most=wanted.training_units,
            seed=SEED,
            told=told,
        )
    known = complete[complete != NO_DAY]
    return _Loaded(data, rules, names, int(known.max()) if known.size else None)


def _store(session: TenantSession, found: Training, loaded: _Loaded, references: list[BlobRef | None]) -> Trained:
    repository.lock(session, "train")
    before = repository.preferred_model(session)
    keeps = before is not None and before.plugin != naive.NAME and found.chosen.name == naive.NAME
    if not keeps:
        repository.retire_preferred(session)
        session.expire_all()
    stamp = now()
    models = []
    preferred = before.version if keeps and before is not None else ""
    for candidate, reference in zip(found.candidates, references, strict=True):
        row = _row(session, candidate, found, loaded, reference, stamp)
        row.state = "preferred" if candidate is found.chosen and not keeps else "candidate"
        preferred = row.version if row.state == "preferred" else preferred
        session.add(row)
        session.flush()
        models.append(_summary(row, candidate))
        audit.record(session, "risk:model:train", "model", row.uuid, {"version": row.version, "state": row.state})
    for failure in found.failures:
        row = _failed_row(session, failure, found, loaded, stamp)
        session.add(row)
        session.flush()
        audit.record(session, "risk:model:train", "model", row.uuid, {"version": row.version, "state": row.state})
    return Trained(
        models=models,
        preferred=preferred,
        why=f"{found.why}; {preferred} keeps scoring" if keeps else found.why,
        too_young=found.too_young,
        folds=dict(found.folds),
        outcomes=dict(found.outcomes),
        unseen=dict(found.unseen),
        naive=None if found.naive is None else found.naive.to_json(),
        failures=[{"kind": failure.name, "why": failure.why} for failure in found.failures],
    )


def _failed_row(
    session: TenantSession, failure: Failure, found: Training, loaded: _Loaded, stamp: datetime
) -> RiskModel:
    version = f"{failure.name}-{repository.next_number(session, failure.name)}"
    return RiskModel(
        uuid=new_uuid(),
        name=failure.name,
        plugin=failure.name,
        plugin_version="",
        version=version,
        state="failed",
        trained_at=stamp,
        features=[],
        calibrator={},
        metrics={},
        card=cards.failed_card(failure, found, loaded.rules, version, stamp.isoformat(timespec="seconds")),
        gates={"passed": False, "why": failure.why},
        failure=failure.why,
        trained_by=session.actor,
        state_changed_at=stamp,
    )


def _row(
    session: TenantSession,
    candidate: Candidate,
    found: Training,
    loaded: _Loaded,
    reference: BlobRef | None,
    stamp: datetime,
) -> RiskModel:
    version = f"{candidate.name}-{repository.next_number(session, candidate.name)}"
    described = cards.card(candidate, found, loaded.rules, version, stamp.isoformat(timespec="seconds"))
    calibrator: dict[str, Any] = {"reliability": candidate.reliability.to_json()}
    if isinstance(candidate.model, naive.NaiveModel):
        calibrator["rule"] = candidate.model.to_json()
    if candidate.calibrator is not None:
        calibrator["calibrator"] = candidate.calibrator.to_json()
    last = loaded.through if found.test_from is None else found.test_from - 1
    return RiskModel(
        uuid=new_uuid(),
        name=candidate.name,
        plugin=candidate.name,
        plugin_version=candidate.plugin_version,
        version=version,
        state="candidate",
        trained_at=stamp,
        trained_through=None if last is None else to_date(last),
        feature_set=candidate.feature_set.name,
        feature_set_version=candidate.feature_set.version,
        features=[spec.to_json() for spec in candidate.feature_set.features],
        blob_key=None if reference is None else reference.key,
        blob_sha256=None if reference is None else reference.sha256,
        calibrator=calibrator,
        metrics={} if candidate.measured is None else candidate.measured.to_json(),
        card=described,
        gates=dict(candidate.gates),
        trained_by=session.actor,
        state_changed_at=stamp,
    )


def _summary(row: RiskModel, candidate: Candidate) -> dict[str, Any]:
    figures = {} if candidate.measured is None else candidate.measured.evaluation.to_json()
    return {
        "id": row.uuid,
        "version": row.version,
        "kind": row.name,
        "state": row.state,
        "gates": row.gates,
        "held_out": figures,
        "against_naive": None if candidate.measured is None else candidate.measured.against_naive.to_json(),
        "against_simpler": None if candidate.against_simpler is None else candidate.against_simpler.to_json(),
    }
