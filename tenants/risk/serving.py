"""The serving model, read from what training stored. It is verified before anything of it is interpreted."""

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
from core.errors import NotFound, phrase
from plugins.sdk import FeatureSpec, sigmoid
from tenants.risk import naive, repository
from tenants.risk.calibration import Calibrator
from tenants.risk.failures import ModelFailed, contained
from tenants.risk.input_list import FEATURES
from tenants.risk.input_sets import FeaturesMissingError, Selection, select
from tenants.risk.registry import artifacts, ensembles
from tenants.risk.reliability import EMPTY, Reliability

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from core.database import SessionOpener, TenantRef, TenantSession
    from plugins.sdk import Explanation, FittedModel
    from tenants.risk.models import RiskModel

    Floats = npt.NDArray[np.float64]

_RULE = phrase("By the naive rule, late last time: shares of interruption among people as late before.")
NAIVE_NOTE = " ".join((_RULE, phrase("No fitted model serves yet.")))
UNTRAINED = "naive-0"
"""Version of the rule before any training: shares by assumption, no history."""
CACHE_SIZE: Final = 16
"""Models in this process's memory, of all tenants. A boosting model takes one to ten megabytes."""
FAILED_SECONDS: Final = 300.0
"""Seconds for which a process does not call a failed model again when it explains people one by one."""
Key = tuple[UUID, UUID, str | None]
"""The tenant, the model, and the hash of its stored bytes."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A model that scores beside the champion.

    Attributes:
        model: the model; a scoring goes on without it if it fails.
        facilities: those that it serves; nobody's where it is compared at no effect.
    """

    model: ServingModel
    facilities: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class ServingModel:
    """A model that scores.

    Attributes:
        uuid: UUID of the row in ``models``; None for the rule before any training.
        version: its version, which every score names.
        model: returns raw probabilities and contributions.
        calibrator: None for the naive rule.
        reliability: outcomes of people with such scores on held-out time.
        columns: the model's columns of the platform's matrix.
        notice: why it scores instead of the preferred model; empty for the preferred one.
        beside: the model that is compared with it.
    """

    uuid: UUID | None
    version: str
    model: FittedModel
    calibrator: Calibrator | None
    reliability: Reliability
    columns: Selection
    notice: str = ""
    beside: Beside | None = None

    def raw_and_risk(self, X: Floats) -> tuple[Floats, Floats]:
        """Return raw and calibrated probabilities of the rows of the platform's matrix.

        Raises:
            ModelFailed: the model raised an error, or returned something that is not a probability.
        """
        if len(X) == 0:
            return np.zeros(0), np.zeros(0)
        require_none("a model was called")
        with contained(self.version, "score"):
            raw = self.model.predict(self.columns.of(X))
            return raw, raw if self.calibrator is None else self.calibrator.apply(raw)

    def themes(self, X: Floats) -> tuple[float, Floats]:
        """Return base and contributions by theme, in log-odds: base + row sum is exactly the raw log-odds.

        Raises:
            ModelFailed: the model raised an error, or returned something else.
        """
        require_none("a model was called")
        with contained(self.version, "explain"):
            explanation = self.model.explain(self.columns.of(X))
            return explanation.base, self.columns.by_theme(explanation.contributions)

    def usual_risk(self, base: float) -> float:
        """Return the model's risk of an average person, at its base.

        Raises:
            ModelFailed: the base is not a number.
        """
        with contained(self.version, "explain"):
            raw = sigmoid(np.array([base], dtype=np.float64))
            return float((raw if self.calibrator is None else self.calibrator.apply(raw))[0])

    @property
    def note(self) -> str:
        """A note on how far to trust the probabilities, and on whether the preferred model failed."""
        trust = NAIVE_NOTE if self.calibrator is None else self.calibrator.note()
        return f"{self.notice} {trust}" if self.notice else trust


class _SerialModel:
    """A fitted model that several threads share. A lock lets in one call at a time: plugins need not be thread-safe."""

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


class _ModelCache:
    """A cache of the models that this process used last. Stored models never change."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._models: OrderedDict[Key, tuple[ServingModel, float]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> ServingModel | None:
        """Return the model, if it is in the cache."""
        with self._lock:
            model, until = self._models.get(key, (None, inf))
            if model is None or until < monotonic():
                return None
            self._models.move_to_end(key)
            return model

    def put(self, key: Key, model: ServingModel, seconds: float = inf) -> None:
        """Cache a model for some seconds. Beyond ``most`` models, drop the least recently used."""
        with self._lock:
            self._models[key] = (model, monotonic() + seconds)
            self._models.move_to_end(key)
            while len(self._models) > self._most:
                self._models.popitem(last=False)


_CACHE: Final = _ModelCache(CACHE_SIZE)


def cached(session: TenantSession) -> ServingModel | None:
    """The serving model, if this process has it in memory: one small query, no blob store."""
    return cached_by_key(session.tenant, repository.preferred_key(session))


def cached_by_key(tenant: TenantRef, key: tuple[UUID, str | None] | None) -> ServingModel | None:
    """The model with this UUID and stored hash, if this process has it in memory. Without a key: the untrained rule."""
    return untrained() if key is None else _CACHE.get((tenant.id, *key))


def load_cached(tenant: TenantRef, row: RiskModel) -> ServingModel:
    """Do the same as :func:`load`, and cache the model; several threads may use it."""
    model_from_store = load(tenant, row)
    model = replace(model_from_store, model=_SerialModel(model_from_store.model))
    _CACHE.put((tenant.id, row.uuid, row.blob_sha256), model)
    return model


def by_uuid(tenant: TenantRef, open_session: SessionOpener, uuid: UUID | None) -> ServingModel:
    """The model of a row, from memory or from the store. Without ``uuid``: the rule before any training.

    Raises:
        NotFound: there is no such model.
        ModelFailed: as for :func:`load`.
    """
    if uuid is None:
        return untrained()
    with open_session() as session:
        row = repository.get_model(session, uuid)
        session.expunge(row)
    return _CACHE.get((tenant.id, row.uuid, row.blob_sha256)) or load_cached(tenant, row)


def cache_fallback(tenant: TenantRef, row: RiskModel, model: ServingModel) -> None:
    """Let another model serve instead of this one for some minutes, so that a failed model is not called each time."""
    _CACHE.put((tenant.id, row.uuid, row.blob_sha256), replace(model, model=_SerialModel(model.model)), FAILED_SECONDS)


def untrained() -> ServingModel:
    """The naive rule with assumed shares, for a tenant without any history."""
    empty = naive.fit(np.zeros(0), np.zeros(0))
    return ServingModel(None, UNTRAINED, empty, None, EMPTY, select(FEATURES))


def load(tenant: TenantRef, row: RiskModel) -> ServingModel:
    """Read a stored model. It calls the blob store, so call it outside a transaction.

    Raises:
        ModelFailed: the signature is missing or wrong; the stored bytes are missing, changed or no model; the platform
            does not compute a feature that the model takes, in the version that it takes; or its plugin is missing.
        Unavailable: the blob store is not reachable.
    """
    artifacts.verify(tenant, row)
    table = Reliability.from_json(row.calibrator["reliability"])
    if row.plugin == naive.NAME:
        rule = naive.NaiveModel.from_json(row.calibrator["rule"])
        return ServingModel(row.uuid, row.version, rule, None, table, select(FEATURES))
    columns = _columns(row)
    return ServingModel(
        uuid=row.uuid,
        version=row.version,
        model=_fitted_model(tenant, row),
        calibrator=Calibrator.from_json(row.calibrator["calibrator"]),
        reliability=table,
        columns=columns,
    )


def preferred(session: TenantSession) -> RiskModel | None:
    """The row of the serving model, detached from the session."""
    row = repository.preferred_model(session)
    if row is not None:
        session.expunge(row)
    return row


def _fitted_model(tenant: TenantRef, row: RiskModel) -> FittedModel:
    from core import blobs, plugins

    kinds = plugins.models(tenant)
    kind = ensembles.Combination(kinds) if row.plugin == ensembles.PLUGIN else kinds.get(row.plugin)
    if kind is None or row.blob_key is None:
        detail = phrase(
            "model {version} needs the plugin {plugin!r}, which is not installed",
            version=row.version,
            plugin=row.plugin,
        )
        raise ModelFailed(detail, remedy="install the plugin, or train again")
    try:
        content = blobs.get(tenant, row.blob_key, sha256=row.blob_sha256)
    except (BlobDamaged, NotFound) as error:
        detail = phrase("the stored model {version} cannot be read: {detail}", version=row.version, detail=error.detail)
        raise ModelFailed(detail, remedy="restore the stored file from a backup, or train again") from error
    with contained(row.version, "be read"):
        return kind.load(plugins.unpack(content))


def _columns(row: RiskModel) -> Selection:
    """The columns that a stored model takes; a feature that was stored without a version is of version 1."""
    try:
        return select([FeatureSpec.from_json(feature) for feature in row.features])
    except FeaturesMissingError as error:
        detail = phrase(
            "model {version} takes features that this version of the platform does not compute: {error}",
            version=row.version,
            error=error,
        )
        raise ModelFailed(detail, remedy="train models again") from error
