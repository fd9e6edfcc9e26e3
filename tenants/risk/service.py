"""Training and evaluation of a tenant's models: read, fit with no transaction open, store and promote."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlmodel import col, select

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
from tenants.risk.dataset import Dataset, build
from tenants.risk.evaluation import measure, naive_evaluation
from tenants.risk.models import RiskModel
from tenants.risk.registry import artifacts, ensembles, lifecycle, lineage, tuning
from tenants.risk.settings import RiskSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from core.blobs import BlobRef
    from core.database import TenantRef
    from core.telemetry.progress import ProgressCallback
    from plugins.sdk import Artifact, FittedModel, TrainingData
    from tenants.cohort.settings import CohortSettings
    from tenants.risk.candidates import Candidate, Failure, TrainingOutcome
SEED = 20
FIT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The result of a training.

    Attributes:
        models: version, state, gates and main figures of each candidate.
        preferred: version of the model that scores now.
        why: the reason in words.
        too_young: why nothing was fitted; empty where models were.
        folds: sizes and periods.
        outcomes: outcomes of the test period, with the competing ones.
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
class _TrainingInputs:
    data: Dataset
    rules: CohortSettings
    names: dict[int, str]
    through: int | None
    settings: RiskSettings
    origin: dict[str, Any] | None = None


def train(tenant: TenantRef, open_session: SessionOpener, progress: ProgressCallback | None = None) -> TrainingResult:
    """Fit every kind of model on the tenant's history, store all, and promote the best that passes its gates.

    One transaction reads the records, fitting runs with none open, and another transaction stores the models. If no
    fitted model passes its gates, the preferred one stays; where there is none, the naive rule serves.
    """
    from core import plugins
    from tenants.risk import training as fitting

    inputs = _load(open_session, progress)
    kinds = plugins.models(tenant)
    tunings: dict[str, tuning.Tuning] = {}

    def fit_with(
        name: str, data: TrainingData, parameters: Mapping[str, Any], seed: int
    ) -> tuple[Artifact, FittedModel, str]:
        artifact = plugins.fit_in_process(name, data, parameters, seed, FIT_SECONDS)
        kind = kinds[name]
        return artifact, kind.load(artifact), kind.version

    def fit(name: str, data: TrainingData, seed: int) -> tuple[Artifact, FittedModel, str]:
        return fit_with(name, data, tunings[name].parameters if name in tunings else {}, seed)

    def tune(name: str, data: TrainingData) -> None:
        note_step(f"tuning {name}")
        trials = inputs.settings.tuning_trials
        tunings[name] = tuning.tune(
            name, data, lambda rows, values: fit_with(name, rows, values, SEED)[1], trials, SEED
        )

    def note_step(note: str) -> None:
        if progress is not None:
            progress(0, None, note)

    training = fitting.train(
        inputs.data,
        fit,
        list(kinds),
        inputs.names,
        note_step,
        combine=inputs.settings.ensembles,
        prepare=tune if inputs.settings.tuning_trials else None,
    )
    origin = lineage.lineage(
        inputs.data, inputs.rules, inputs.settings, SEED, {name: each.to_json() for name, each in tunings.items()}
    )
    new_keys: list[str] = []
    try:
        references: list[BlobRef | None] = []
        for candidate in training.candidates:
            reference = None
            if candidate.artifact is not None:
                reference, is_new = artifacts.store(tenant, candidate.artifact)
                new_keys += [reference.key] if is_new else []
            references.append(reference)
        with open_session() as session:
            return _store(session, training, replace(inputs, origin=origin), references)
    except BaseException:
        _forget(tenant, open_session, new_keys)
        raise


def _forget(tenant: TenantRef, open_session: SessionOpener, keys: Sequence[str]) -> None:
    """Delete files that no model refers to: another training may have made the same model meanwhile."""
    from core import blobs

    with open_session() as session:
        used = set(session.exec(select(RiskModel.blob_key).where(col(RiskModel.blob_key).in_(keys))).all())
    for key in set(keys) - used:
        blobs.delete(tenant, key)


def evaluate(
    tenant: TenantRef, open_session: SessionOpener, progress: ProgressCallback | None = None
) -> dict[str, Any]:
    """Measure the serving model on all resolved decisions after its training and calibration.

    Raises:
        NotFound: nothing was trained yet, or nothing was resolved since.
    """
    with open_session() as session:
        row = serving.preferred(session)
    if row is None:
        detail = "no model has been trained for this tenant"
        raise NotFound(detail, remedy="train models first")
    model = serving.load(tenant, row)
    inputs = _load(open_session, progress)
    data = inputs.data
    later = row.trained_through
    held_out = data.where(data.labelled & (data.day > (day_number(later) if later else NO_DAY)))
    if len(held_out) == 0 or not 0 < int((held_out.y == 1).sum()) < len(held_out):
        detail = "no decisions with both outcomes have been resolved since the model was trained"
        raise NotFound(detail, remedy="import newer records first")
    risk = model.raw_and_risk(held_out.X.astype(np.float64))[1]
    figures = measure(risk, held_out, inputs.names, SEED)
    evaluation = {
        "model_version": row.version,
        "model_kind": row.name,
        "trained_through": row.trained_through,
        "records_complete_through": to_date(inputs.through) if inputs.through is not None else None,
        "decisions_from": to_date(int(held_out.day.min())),
        "decisions_to": to_date(int(held_out.day.max())),
        **figures.to_json(),
        "naive_rule": naive_evaluation(held_out, SEED).to_json(),
        "outcomes": data.where(data.day >= int(held_out.day.min())).outcomes(),
        "gates_when_trained": row.gates,
    }
    with open_session() as session:
        repository.store_evaluation(session, row.uuid, evaluation)
        audit.record(session, "risk:model:evaluate", "model", row.uuid, {"version": row.version})
    return evaluation


def load_decisions(open_session: SessionOpener) -> Dataset:
    """Read the tenant's prediction units with their features, as training does."""
    return _load(open_session, None).data


def _load(open_session: SessionOpener, progress: ProgressCallback | None) -> _TrainingInputs:
    with open_session() as session:
        rules = cohort_settings(session)
        settings = tenant_settings.get(session, RiskSettings)
        complete = complete_days(session)
        names = {index: row["datim_id"] for index, row in enumerate(repository.facility_facts(session))}
        data, _ = build(
            lambda: load_timelines(session),
            rules,
            complete,
            years=settings.training_years,
            most=settings.training_units,
            seed=SEED,
            progress=progress,
        )
    complete_days_known = complete[complete != NO_DAY]
    through = int(complete_days_known.max()) if complete_days_known.size else None
    return _TrainingInputs(data, rules, names, through, settings)


def _store(
    session: TenantSession, training: TrainingOutcome, inputs: _TrainingInputs, references: list[BlobRef | None]
) -> TrainingResult:
    repository.lock(session, "train")
    repository.lock(session, lifecycle.LOCK)
    before = repository.preferred_model(session)
    keeps = before is not None and before.plugin != naive.NAME and training.choice.name == naive.NAME
    waits = before is not None and not keeps and inputs.settings.approval
    stamp = now()
    models = []
    preferred = before.version if before is not None else ""
    for candidate, reference in zip(training.candidates, references, strict=True):
        row = _row(session, candidate, training, inputs, reference, stamp)
        artifacts.sign(session, row)
        session.add(row)
        session.flush()
        if candidate is training.choice and not keeps and not waits:
            lifecycle.make_champion(session, row, "promoted", training.why)
            preferred = row.version
        models.append(_summary(row, candidate))
        audit.record(session, "risk:model:train", "model", row.uuid, {"version": row.version, "state": row.state})
    for failure in training.failures:
        row = _failed_row(session, failure, training, inputs, stamp)
        session.add(row)
        session.flush()
        audit.record(session, "risk:model:train", "model", row.uuid, {"version": row.version, "state": row.state})
    return TrainingResult(
        models=models,
        preferred=preferred,
        why=_why(training.why, preferred, keeps=keeps, waits=waits),
        too_young=training.too_young,
        folds=dict(training.folds),
        outcomes=dict(training.outcomes),
        unseen=dict(training.unseen),
        naive=None if training.naive is None else training.naive.to_json(),
        failures=[{"kind": failure.name, "why": failure.why} for failure in training.failures],
    )


def _why(why: str, preferred: str, *, keeps: bool, waits: bool) -> str:
    """The reason of the choice, and why another model keeps scoring."""
    if waits:
        return f"{why}; it waits for an approval, and {preferred} keeps scoring"
    return f"{why}; {preferred} keeps scoring" if keeps else why


def _failed_row(
    session: TenantSession, failure: Failure, training: TrainingOutcome, inputs: _TrainingInputs, stamp: datetime
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
        card=cards.failed_card(failure, training, inputs.rules, version, stamp.isoformat(timespec="seconds")),
        gates={"passed": False, "why": failure.why},
        failure=failure.why,
        trained_by=session.actor,
        state_changed_at=stamp,
    )


def _row(
    session: TenantSession,
    candidate: Candidate,
    training: TrainingOutcome,
    inputs: _TrainingInputs,
    reference: BlobRef | None,
    stamp: datetime,
) -> RiskModel:
    version = f"{candidate.name}-{repository.next_number(session, candidate.name)}"
    described = cards.card(candidate, training, inputs.rules, version, stamp.isoformat(timespec="seconds"))
    calibrator: dict[str, Any] = {"reliability": candidate.reliability.to_json()}
    if isinstance(candidate.model, naive.NaiveModel):
        calibrator["rule"] = candidate.model.to_json()
    if candidate.calibrator is not None:
        calibrator["calibrator"] = candidate.calibrator.to_json()
    last = inputs.through if training.test_from is None else training.test_from - 1
    return RiskModel(
        uuid=new_uuid(),
        name=candidate.name,
        plugin=ensembles.PLUGIN if candidate.name in ensembles.NAMES else candidate.name,
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
        metrics={} if candidate.figures is None else candidate.figures.to_json(),
        card=described,
        gates=dict(candidate.gates),
        trained_by=session.actor,
        state_changed_at=stamp,
        lineage=inputs.origin,
    )


def _summary(row: RiskModel, candidate: Candidate) -> dict[str, Any]:
    figures = {} if candidate.figures is None else candidate.figures.evaluation.to_json()
    return {
        "id": row.uuid,
        "version": row.version,
        "kind": row.name,
        "state": lifecycle.shown_state(row.state),
        "gates": row.gates,
        "held_out": figures,
        "against_naive": None if candidate.figures is None else candidate.figures.against_naive.to_json(),
        "against_simpler": None if candidate.against_simpler is None else candidate.against_simpler.to_json(),
    }
