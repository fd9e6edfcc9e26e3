"""Models for tests of the registry: copies of a tenant's champion, and small ones for a tenant without records."""

from __future__ import annotations

import numpy as np

from core.clock import now
from core.database import tenant_session
from core.plugins import models
from plugins.sdk import TrainingData
from tenants.records.ids import new_uuid
from tenants.risk import repository
from tenants.risk.input_sets import FEATURE_SET
from tenants.risk.models import RiskModel
from tenants.risk.registry import artifacts

IDENTITY = {
    "version": 1, "kind": "identity", "parameters": {}, "decisions": 100, "patients": 50, "interruptions": 20,
    "held_out": {},
}  # fmt: skip
RELIABILITY = {"line": [], "covariance": [], "decisions": 0, "patients": 0}
PASSED = {"passed": True}
CARD = {
    "version": "additive-1", "kind": "additive", "plugin_version": "1.0.0", "trained_at": "2026-11-01T00:00:00+00:00",
    "intended_use": "To order people.", "outcome": "no contact", "choice": "it is the simplest", "failure": None,
    "calibration": "Not recalibrated.", "data": {}, "metrics": None, "naive_rule": None, "groups": None,
    "gates": {"passed": True}, "limits": ["It says who, not why."], "unseen": {}, "outcomes_in_test_period": {},
}  # fmt: skip
_SMALL = []


def opener(tenant):
    return lambda: tenant_session(tenant, actor="test:1")


def small_artifact():
    """An additive model of random rows, fitted once."""
    if not _SMALL:
        random = np.random.default_rng(1)
        features = FEATURE_SET.features
        matrix = random.integers(0, 2, (80, len(features))).astype(np.float64)
        data = TrainingData(X=matrix, y=random.integers(0, 2, 80), group=np.arange(80), features=features)
        _SMALL.append(models()["additive"].fit(data, {"max_bins": 2, "strengths": [300.0]}, 1))
    return _SMALL[0]


def small_model(tenant, version, **changes):
    """Adds a signed model of a tenant without records; returns its identifier."""
    reference, _ = artifacts.store(tenant, small_artifact())
    facts = {
        "uuid": new_uuid(), "name": "additive", "plugin": "additive", "plugin_version": "1.0.0", "version": version,
        "state": "candidate", "trained_at": now(), "features": [spec.to_json() for spec in FEATURE_SET.features],
        "calibrator": {"reliability": RELIABILITY, "calibrator": IDENTITY}, "metrics": {}, "card": CARD,
        "gates": PASSED, "trained_by": "test:1", "state_changed_at": now(), "blob_key": reference.key,
        "blob_sha256": reference.sha256,
    }  # fmt: skip
    return _add(tenant, RiskModel(**facts | changes))


def copy_of_champion(tenant, version, **changes):
    """Adds a signed copy of the champion; returns its identifier."""
    with opener(tenant)() as session:
        facts = repository.preferred_model(session).model_dump()
    facts |= {"uuid": new_uuid(), "version": version, "state": "candidate", "trial": None}
    return _add(tenant, RiskModel(**facts | changes))


def shifted(calibrator, log_odds):
    """A calibrator that moves every probability."""
    parameters = {"intercept": log_odds, "slope": 1.0}
    return calibrator | {"calibrator": calibrator["calibrator"] | {"kind": "logistic", "parameters": parameters}}


def signed(tenant, row):
    """The row, signed as it is now."""
    with opener(tenant)() as session:
        artifacts.sign(session, row)
    return row


def _add(tenant, row):
    uuid = row.uuid
    with opener(tenant)() as session:
        artifacts.sign(session, row)
        session.add(row)
    return uuid


def champion_of(tenant):
    """The champion, detached."""
    with opener(tenant)() as session:
        row = repository.preferred_model(session)
        session.expunge(row)
    return row


def serve(tenant, uuid):
    """Lets one model serve, and no other be compared, whatever was before."""
    with opener(tenant)() as session, session.cursor() as cursor:
        cursor.execute("UPDATE models SET state = 'retired', trial = NULL WHERE state IN ('preferred', 'shadow',"
                       " 'challenger')")  # fmt: skip
        cursor.execute("UPDATE models SET state = 'preferred', trial = NULL, failure = NULL WHERE uuid = %s", (uuid,))
