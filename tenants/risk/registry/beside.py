"""The model that scores beside the champion: which it is, and its scores. It must never stop a scoring."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlmodel import col, select

from tenants.risk import repository, serving
from tenants.risk.failures import ModelFailed, note_failure
from tenants.risk.models import RiskModel
from tenants.risk.registry import terms

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from core.database import SessionOpener, TenantRef, TenantSession
    from tenants.risk.serving import ServingModel

    Floats = npt.NDArray[np.float64]

_KEY: Final = (
    "SELECT uuid, state, trial->>'kind', trial->>'other', trial->'facilities' FROM models"
    " WHERE state IN ('shadow', 'challenger')"
    " OR (state = 'preferred' AND trial->>'kind' = 'canary' AND trial->>'state' = 'running') ORDER BY uuid"
)


def with_beside(tenant: TenantRef, open_session: SessionOpener, champion: ServingModel) -> ServingModel:
    """Return the champion together with the model that scores beside it, if there is one and it can be read."""
    with open_session() as session:
        row, facilities = _beside_row(session, champion.uuid)
        if row is not None:
            session.expunge(row)
    if row is None:
        return champion
    try:
        other = serving.load(tenant, row)
    except ModelFailed as error:
        with open_session() as session:
            note_failure(session, row, error)
        return champion
    return replace(champion, beside=serving.Beside(other, facilities))


def fingerprint(session: TenantSession) -> str:
    """A text that differs whenever another model scores beside the champion, or serves other facilities."""
    with session.cursor() as cursor:
        return str(cursor.execute(_KEY).fetchall())


def versions(session: TenantSession, champion: str) -> list[str]:
    """Versions of the models whose scores a scoring by the champion may hold."""
    challengers = session.exec(select(RiskModel.version).where(RiskModel.state == "challenger")).all()
    return [champion, *challengers]


def scores(model: ServingModel, columns: Floats) -> tuple[Floats, Floats] | None:
    """Raw and calibrated probabilities of the model beside the champion; None if there is none.

    Raises:
        ModelFailed: it failed.
    """
    return None if model.beside is None else model.beside.model.raw_and_risk(columns)


def _beside_row(session: TenantSession, champion: UUID | None) -> tuple[RiskModel | None, frozenset[UUID]]:
    row = session.exec(select(RiskModel).where(col(RiskModel.state).in_(("shadow", "challenger")))).first()
    if row is not None:
        named = (row.trial or {}).get("facilities", []) if row.state == "challenger" else []
        return row, frozenset(map(UUID, named))
    serving_row = repository.preferred_model(session)
    if serving_row is None or serving_row.uuid != champion or not terms.is_running(serving_row.trial, "canary"):
        return None, frozenset()
    former = UUID((serving_row.trial or {})["other"])
    return session.get(RiskModel, former), frozenset()
