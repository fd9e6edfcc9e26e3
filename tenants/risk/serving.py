"""The model that scores, read back from what training stored: verified before anything of it is interpreted."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np

from core.errors import Conflict
from tenants.risk import naive, repository
from tenants.risk.calibration import Calibrator
from tenants.risk.feature_list import FEATURES
from tenants.risk.reliability import EMPTY, Reliability
from tenants.risk.wording import by_theme

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from core.database import TenantRef, TenantSession
    from plugins.sdk import Explanation, FeatureSpec, FittedModel
    from tenants.risk.models import RiskModel

    Floats = npt.NDArray[np.float64]

NAIVE_NOTE = (
    "By the naive rule, late last time: shares of interruption among people as late before. No fitted model serves yet."
)
UNTRAINED = "naive-0"
"""Version of the rule before anything was trained: shares by assumption, no history."""
MOST_KEPT: Final = 16
"""Models in this process's memory, of all tenants; a boosting model takes one to ten megabytes."""
Key = tuple[UUID, UUID, str | None]
"""Tenant, model, and the hash of what is stored of it."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What scores.

    Attributes:
        uuid: of the row in ``models``; None for the rule that serves before any training.
        version: what a score names.
        model: gives raw probabilities and contributions.
        calibrator: None for the naive rule.
        reliability: what came of people scored alike on held-out time.
    """

    uuid: UUID | None
    version: str
    model: FittedModel
    calibrator: Calibrator | None
    reliability: Reliability

    def raw_and_risk(self, X: Floats) -> tuple[Floats, Floats]:
        """Raw and calibrated probabilities of the rows."""
        if len(X) == 0:
            return np.zeros(0), np.zeros(0)
        raw = self.model.predict(X)
        return raw, raw if self.calibrator is None else self.calibrator.apply(raw)

    def themes(self, X: Floats) -> tuple[float, Floats]:
        """Base and contributions by theme, log-odds of the raw score: base + row sum is the raw log-odds exactly."""
        explanation = self.model.explain(X)
        return explanation.base, by_theme(explanation.contributions)

    @property
    def note(self) -> str:
        """One sentence on how far the probabilities can be trusted."""
        return NAIVE_NOTE if self.calibrator is None else self.calibrator.note()


class _InTurn:
    """A fitted model that several threads share: a plugin's need not bear two calls at once."""

    def __init__(self, model: FittedModel) -> None:
        self._model = model
        self._turn = Lock()

    @property
    def features(self) -> tuple[FeatureSpec, ...]:
        return self._model.features

    def predict(self, X: Floats) -> Floats:
        with self._turn:
            return self._model.predict(X)

    def explain(self, X: Floats) -> Explanation:
        with self._turn:
            return self._model.explain(X)

    def summary(self) -> Mapping[str, Any]:
        return self._model.summary()


class _Kept:
    """Models that this process has read, the latest used last. A stored model never changes, so none grows old."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[Key, Serving] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Serving | None:
        """The model, where it is kept."""
        with self._lock:
            if (found := self._found.get(key)) is not None:
                self._found.move_to_end(key)
            return found

    def put(self, key: Key, model: Serving) -> None:
        """Keep a model; beyond ``most`` the one longest unused goes."""
        with self._lock:
            self._found[key] = model
            self._found.move_to_end(key)
            while len(self._found) > self._most:
                self._found.popitem(last=False)


_KEPT: Final = _Kept(MOST_KEPT)


def kept(session: TenantSession) -> Serving | None:
    """The model that scores now, where this process has it in memory: one small query, no blob store."""
    found = repository.preferred_key(session)
    if found is None:
        return untrained()
    return _KEPT.get((session.tenant.id, *found))


def load_kept(tenant: TenantRef, row: RiskModel) -> Serving:
    """As :func:`load`, and kept for the next call; several threads may use it."""
    loaded = load(tenant, row)
    model = replace(loaded, model=_InTurn(loaded.model))
    _KEPT.put((tenant.id, row.uuid, row.blob_sha256), model)
    return model


def untrained() -> Serving:
    """The naive rule before any history was counted."""
    empty = naive.fit(np.zeros(0), np.zeros(0))
    return Serving(None, UNTRAINED, empty, None, EMPTY)


def load(tenant: TenantRef, row: RiskModel) -> Serving:
    """Read a stored model. Makes calls to the blob store: not inside a transaction.

    Raises:
        BlobDamaged: the stored bytes are not what training wrote.
        ArtifactRefused: they are not a model.
        Conflict: the model was fitted on other features than this version computes, or its plugin is gone.
    """
    table = Reliability.from_json(row.calibrator["reliability"])
    if row.plugin == naive.NAME:
        return Serving(row.uuid, row.version, naive.NaiveModel.from_json(row.calibrator["rule"]), None, table)
    _same_features(row)
    return Serving(
        uuid=row.uuid,
        version=row.version,
        model=_fitted(tenant, row),
        calibrator=Calibrator.from_json(row.calibrator["calibrator"]),
        reliability=table,
    )


def preferred(session: TenantSession) -> RiskModel | None:
    """The row of the model that scores, detached from the session."""
    row = repository.preferred_model(session)
    if row is not None:
        session.expunge(row)
    return row


def _fitted(tenant: TenantRef, row: RiskModel) -> FittedModel:
    from core import blobs, plugins

    kind = plugins.models().get(row.plugin)
    if kind is None or row.blob_key is None:
        detail = f"model {row.version} needs the plugin {row.plugin!r}, which is not installed"
        raise Conflict(detail, remedy="install the plugin, or train again")
    artifact = plugins.unpack(blobs.get(tenant, row.blob_key, sha256=row.blob_sha256))
    return kind.load(artifact)


def _same_features(row: RiskModel) -> None:
    present = [(spec.name, spec.kind, list(spec.categories)) for spec in FEATURES]
    stored = [(spec["name"], spec["kind"], spec["categories"]) for spec in row.features]
    if present != stored:
        detail = f"model {row.version} was trained on other features than this version computes"
        raise Conflict(detail, remedy="train again: iit train SLUG")
