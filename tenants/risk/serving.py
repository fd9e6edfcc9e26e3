"""The model that scores, read back from what training stored: verified before anything of it is interpreted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from core.errors import Conflict
from tenants.risk import naive, repository
from tenants.risk.calibration import Calibrator
from tenants.risk.feature_list import FEATURES
from tenants.risk.reliability import EMPTY, Reliability
from tenants.risk.wording import by_theme

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.database import TenantRef, TenantSession
    from plugins.sdk import FittedModel
    from tenants.risk.models import RiskModel

    Floats = npt.NDArray[np.float64]

NAIVE_NOTE = (
    "By the naive rule, late last time: shares of interruption among people as late before. No fitted model serves yet."
)
UNTRAINED = "naive-0"
"""Version of the rule before anything was trained: shares by assumption, no history."""


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
