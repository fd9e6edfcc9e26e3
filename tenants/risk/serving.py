"""The model that scores, read back from what training stored: verified before anything of it is interpreted."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from math import inf
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np

from core.blobs.errors import BlobDamaged
from core.database import require_none
from core.errors import NotFound
from plugins.sdk import FeatureSpec, sigmoid
from tenants.risk import naive, repository
from tenants.risk.calibration import Calibrator
from tenants.risk.failures import ModelFailed, contained
from tenants.risk.feature_list import FEATURES
from tenants.risk.feature_sets import FeaturesMissingError, Selection, select
from tenants.risk.reliability import EMPTY, Reliability

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from core.database import SessionOpener, TenantRef, TenantSession
    from plugins.sdk import Explanation, FittedModel
    from tenants.risk.models import RiskModel

    Floats = npt.NDArray[np.float64]

NAIVE_NOTE = (
    "By the naive rule, late last time: shares of interruption among people as late before. No fitted model serves yet."
)
UNTRAINED = "naive-0"
"""Version of the rule before anything was trained: shares by assumption, no history."""
MOST_KEPT: Final = 16
"""Models in this process's memory, of all tenants; a boosting model takes one to ten megabytes."""
FAILED_SECONDS: Final = 300.0
"""How long a process does not ask a model that has failed, for people who are looked at one by one."""
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
        columns: those that the model takes of the platform's matrix.
        notice: why it scores in the preferred model's place; empty for the preferred one.
    """

    uuid: UUID | None
    version: str
    model: FittedModel
    calibrator: Calibrator | None
    reliability: Reliability
    columns: Selection
    notice: str = ""

    def raw_and_risk(self, X: Floats) -> tuple[Floats, Floats]:
        """Raw and calibrated probabilities of the rows of the platform's matrix.

        Raises:
            ModelFailed: the model raised, or gave something that is no probability.
        """
        if len(X) == 0:
            return np.zeros(0), np.zeros(0)
        require_none("a model was called")
        with contained(self.version, "score"):
            raw = self.model.predict(self.columns.of(X))
            return raw, raw if self.calibrator is None else self.calibrator.apply(raw)

    def themes(self, X: Floats) -> tuple[float, Floats]:
        """Base and contributions by theme, log-odds of the raw score: base + row sum is the raw log-odds exactly.

        Raises:
            ModelFailed: the model raised, or gave something else.
        """
        require_none("a model was called")
        with contained(self.version, "explain"):
            explanation = self.model.explain(self.columns.of(X))
            return explanation.base, self.columns.by_theme(explanation.contributions)

    def usual_risk(self, base: float) -> float:
        """What the model gives to a person of whom nothing stands out: the risk at its base.

        Raises:
            ModelFailed: the base is no number.
        """
        with contained(self.version, "explain"):
            raw = sigmoid(np.array([base], dtype=np.float64))
            return float((raw if self.calibrator is None else self.calibrator.apply(raw))[0])

    @property
    def note(self) -> str:
        """How far the probabilities can be trusted, and whether the preferred model failed."""
        trust = NAIVE_NOTE if self.calibrator is None else self.calibrator.note()
        return f"{self.notice} {trust}" if self.notice else trust


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
        self._found: OrderedDict[Key, tuple[Serving, float]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Serving | None:
        """The model, where it is kept."""
        with self._lock:
            model, until = self._found.get(key, (None, inf))
            if model is None or until < monotonic():
                return None
            self._found.move_to_end(key)
            return model

    def put(self, key: Key, model: Serving, seconds: float = inf) -> None:
        """Keep a model for so long; beyond ``most`` the one longest unused goes."""
        with self._lock:
            self._found[key] = (model, monotonic() + seconds)
            self._found.move_to_end(key)
            while len(self._found) > self._most:
                self._found.popitem(last=False)


_KEPT: Final = _Kept(MOST_KEPT)


def kept(session: TenantSession) -> Serving | None:
    """The model that scores now, where this process has it in memory: one small query, no blob store."""
    return kept_by_key(session.tenant, repository.preferred_key(session))


def kept_by_key(tenant: TenantRef, key: tuple[UUID, str | None] | None) -> Serving | None:
    """The model of this UUID and stored hash, where this process has it in memory; None: nothing was trained."""
    return untrained() if key is None else _KEPT.get((tenant.id, *key))


def load_kept(tenant: TenantRef, row: RiskModel) -> Serving:
    """As :func:`load`, and kept for the next call; several threads may use it."""
    loaded = load(tenant, row)
    model = replace(loaded, model=_InTurn(loaded.model))
    _KEPT.put((tenant.id, row.uuid, row.blob_sha256), model)
    return model


def by_uuid(tenant: TenantRef, open_session: SessionOpener, uuid: UUID | None) -> Serving:
    """The model of a row, from this process's memory where it is there; None: the rule before any training.

    Raises:
        NotFound: there is no such model.
        ModelFailed: as :func:`load`.
    """
    if uuid is None:
        return untrained()
    with open_session() as session:
        row = repository.get_model(session, uuid)
        session.expunge(row)
    return _KEPT.get((tenant.id, row.uuid, row.blob_sha256)) or load_kept(tenant, row)


def keep_in_place(tenant: TenantRef, row: RiskModel, model: Serving) -> None:
    """Let another model serve in this one's place for some minutes: a model that fails is not asked at every call."""
    _KEPT.put((tenant.id, row.uuid, row.blob_sha256), replace(model, model=_InTurn(model.model)), FAILED_SECONDS)


def untrained() -> Serving:
    """The naive rule before any history was counted."""
    empty = naive.fit(np.zeros(0), np.zeros(0))
    return Serving(None, UNTRAINED, empty, None, EMPTY, select(FEATURES))


def load(tenant: TenantRef, row: RiskModel) -> Serving:
    """Read a stored model. Makes calls to the blob store: not inside a transaction.

    Raises:
        ModelFailed: the stored bytes are gone, not what training wrote, or no model; the platform does not compute a
            feature that the model takes, in the version that it takes; or its plugin is gone.
        Unavailable: the blob store cannot be reached.
    """
    table = Reliability.from_json(row.calibrator["reliability"])
    if row.plugin == naive.NAME:
        rule = naive.NaiveModel.from_json(row.calibrator["rule"])
        return Serving(row.uuid, row.version, rule, None, table, select(FEATURES))
    columns = _columns(row)
    return Serving(
        uuid=row.uuid,
        version=row.version,
        model=_fitted(tenant, row),
        calibrator=Calibrator.from_json(row.calibrator["calibrator"]),
        reliability=table,
        columns=columns,
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
        raise ModelFailed(detail, remedy="install the plugin, or train again")
    try:
        content = blobs.get(tenant, row.blob_key, sha256=row.blob_sha256)
    except (BlobDamaged, NotFound) as error:
        detail = f"the stored model {row.version} cannot be read: {error.detail}"
        raise ModelFailed(detail, remedy="restore the stored file from a backup, or train again") from error
    with contained(row.version, "be read"):
        return kind.load(plugins.unpack(content))


def _columns(row: RiskModel) -> Selection:
    """The columns that a stored model takes; a feature that was stored without a version is of version 1."""
    try:
        return select([FeatureSpec.from_json(feature) for feature in row.features])
    except FeaturesMissingError as error:
        detail = f"model {row.version} takes features that this version of the platform does not compute: {error}"
        raise ModelFailed(detail, remedy="train models again") from error
