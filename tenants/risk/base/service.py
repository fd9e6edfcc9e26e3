"""Give sums for the base model, start from it, and calibrate it on own outcomes, each in a partner's own session."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from core import audit, plugins
from core.clock import now, today
from core.errors import Conflict, phrase
from core.tenancy import settings as tenant_settings
from plugins.sdk import logit, sigmoid
from tenants.records.ids import new_uuid
from tenants.risk import checks, naive, reliability, repository, service
from tenants.risk.base import sums
from tenants.risk.base.card import card
from tenants.risk.base.pooled import PLUGIN, artifact_of
from tenants.risk.base.privacy import MOST_EPSILON
from tenants.risk.calibration import EDGE, MIN_OUTCOMES, Calibrator, fit_calibrator
from tenants.risk.input_list import NAMES
from tenants.risk.input_sets import select
from tenants.risk.metrics import compare
from tenants.risk.models import RiskModel
from tenants.risk.models_checks import ModelCheck
from tenants.risk.registry import artifacts, lifecycle
from tenants.risk.settings import RiskSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from core.database import SessionOpener, TenantRef, TenantSession
    from plugins.sdk import FittedModel
    from tenants.risk.dataset import Dataset

KIND: Final = "sums"
NAME: Final = "base"
FEWEST_DECISIONS: Final = 100
"""Own outcomes that a calibration needs, ``MIN_OUTCOMES`` of either kind among them."""
ENOUGH_FOR_A_CURVE: Final = 200
"""Own interruptions from which a calibration may change the shape, and not the level alone."""


def give(open_session: SessionOpener) -> sums.Sums:
    """Store noisy sums of the tenant's decisions, which the operator may read.

    Raises:
        Conflict: the partner has not agreed, has too few patients, or has given as often as its patients' privacy
            allows.
    """
    with open_session() as session:
        if not tenant_settings.get(session, RiskSettings).give_sums:
            raise Conflict("the partner has not agreed to give sums", remedy="its administrator sets risk.give_sums")
        releases = _releases(session)
    if not sums.may_give_again(releases):
        detail = phrase("another gift would bring epsilon above {most}", most=MOST_EPSILON)
        raise Conflict(detail, remedy="pool the sums that were given before")
    data = service.load_decisions(open_session)
    total, patients = sums.exact(data, np.random.default_rng(secrets.randbits(128)))
    if patients < sums.FEWEST_PATIENTS:
        detail = phrase("sums need {count} patients with a known outcome", count=sums.FEWEST_PATIENTS)
        raise Conflict(detail, remedy="start from the base model of others instead")
    with open_session() as session:
        repository.lock(session, KIND)
        if _releases(session) != releases:
            raise Conflict("sums were given meanwhile", remedy="pool these")
        release = sums.noisy(total, releases + 1)
        # No number of patients: it would leave with the sums, without noise.
        check = ModelCheck(
            kind=KIND, as_of=today("UTC"), passed=True, patients=0, figures=release.to_json(), measured_by=session.actor
        )
        checks.store(session, check)
        facts = {name: check.figures[name] for name in ("releases", "epsilon", "delta")}
        audit.record(session, "risk:sums:give", "model_check", check.uuid, facts)
    return release


def given_sums(session: TenantSession) -> dict[str, Any] | None:
    """The newest sums of a partner that still agrees; None if there are none."""
    newest = checks.newest(session, KIND)
    agrees = tenant_settings.get(session, RiskSettings).give_sums
    return dict(newest.figures) if newest is not None and agrees else None


def adopt(tenant: TenantRef, open_session: SessionOpener, base: Mapping[str, Any]) -> RiskModel:
    """Store a base model, calibrated on the tenant's own outcomes where there are enough; return its row.

    It serves at once if no model that was trained here does, and if it is not certainly worse than the naive rule here.

    Raises:
        Conflict: the partner does not want one.
        BadArtifactError: it is not a base model.
    """
    with open_session() as session:
        if not tenant_settings.get(session, RiskSettings).base_model:
            raise Conflict(
                "the partner does not start from a base model", remedy="its administrator sets risk.base_model"
            )
    artifact = artifact_of(base)
    model = plugins.models()[PLUGIN].load(artifact)
    data = service.load_decisions(open_session)
    own = data.where(data.labelled)
    calibrator, verdict = calibrate(model, own), _verdict(model, own)
    reference, _ = artifacts.store(tenant, artifact)
    with open_session() as session:
        repository.lock(session, lifecycle.LOCK)
        champion = repository.preferred_model(session)
        if champion is not None and champion.plugin != naive.NAME and champion.name != NAME:
            verdict = {"passed": False, "why": "a model that was trained on this partner's own records serves"}
        row = RiskModel(
            uuid=new_uuid(),
            name=NAME,
            plugin=PLUGIN,
            plugin_version=plugins.models()[PLUGIN].version,
            version=f"{NAME}-{repository.next_number(session, NAME)}",
            state="candidate",
            trained_at=now(),
            features=[spec.to_json() for spec in model.features],
            calibrator={"reliability": reliability.EMPTY.to_json(), "calibrator": calibrator.to_json()},
            metrics={},
            card={},
            gates={"passed": verdict["passed"], "base": verdict},
            trained_by=session.actor,
            state_changed_at=now(),
            blob_key=reference.key,
            blob_sha256=reference.sha256,
        )
        row.card = card(row, base, calibrator)
        artifacts.sign(session, row)
        session.add(row)
        session.flush()
        audit.record(session, "risk:base:adopt", "model", row.uuid, {"version": row.version})
        if verdict["passed"]:
            lifecycle.make_champion(session, row, "promoted", verdict["why"])
            row.trial = None  # a base model beside itself would say nothing
            session.flush()
        session.expunge(row)
    return row


def recalibrate(tenant: TenantRef, open_session: SessionOpener) -> RiskModel | None:
    """Calibrate the serving base model on the outcomes of today; None if no base model serves."""
    with open_session() as session:
        champion = repository.preferred_model(session)
        if champion is None or champion.name != NAME:
            return None
        base = dict(champion.card["base"])
    return adopt(tenant, open_session, base)


def _releases(session: TenantSession) -> int:
    newest = checks.newest(session, KIND)
    return 0 if newest is None else int(newest.figures["releases"])


def calibrate(model: FittedModel, own: Dataset) -> Calibrator:
    """The calibrator of a base model on a partner's own labelled decisions; the identity while there are too few.

    With few interruptions it moves all log-odds alike: a curve that is learnt from few would lose the model's order.
    """
    interrupted = int((own.y == 1).sum())
    if len(own) < FEWEST_DECISIONS or min(interrupted, len(own) - interrupted) < MIN_OUTCOMES:
        return Calibrator("identity", {}, len(own), 0, interrupted, {})
    raw = model.predict(select(model.features).of(own.X))
    fitted = fit_calibrator(raw, own.y, own.patient)
    if interrupted >= ENOUGH_FOR_A_CURVE and np.ptp(fitted.apply(raw)) > 0:
        return fitted
    return replace(fitted, kind="logistic", parameters={"intercept": _shift(raw, interrupted / len(own)), "slope": 1.0})


def _shift(raw: npt.NDArray[np.float64], share: float) -> float:
    """How far all log-odds must move for the mean probability to be the share that interrupted."""
    from scipy.optimize import brentq

    log_odds = logit(np.clip(raw, EDGE, 1 - EDGE))
    return float(brentq(lambda move: float(sigmoid(log_odds + move).mean()) - share, -20.0, 20.0))


def _verdict(model: FittedModel, own: Dataset) -> dict[str, Any]:
    """Whether a base model may serve here: it is not certainly worse than the naive rule, where outcomes show it."""
    interrupted = int((own.y == 1).sum())
    if len(own) < FEWEST_DECISIONS or min(interrupted, len(own) - interrupted) < MIN_OUTCOMES:
        why = "there are too few outcomes of this partner to measure it: its probabilities are those of other partners"
        return {"passed": True, "why": why}
    rule = naive.fit(own.X[:, NAMES.index(naive.COLUMN)], own.y).predict(own.X.astype(np.float64))
    raw = model.predict(select(model.features).of(own.X))
    difference = compare(raw, rule, own.y, own.patient).differences["roc_auc"]
    value = f"{difference.value:+.3f}"
    why = f"its ROC-AUC less that of the naive rule is {value} on {len(own):,} decisions of this partner"
    return {"passed": difference.high is None or difference.high >= 0, "why": why}
