"""A tenant restored from an archive: unfinished scorings end, and models are signed by the new keys of the tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from tenants.risk.models import RiskModel
from tenants.risk.registry import artifacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession


def tenant_restored(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Complete what an archive does not carry. Listens to ``tenant.restored``."""
    end_unfinished(session, payload)
    sign_models(session, payload)


def end_unfinished(session: TenantSession, _payload: Mapping[str, Any]) -> None:
    """Mark unfinished scorings as failed. The next scoring of the date starts from the beginning."""
    with session.cursor() as cursor:
        cursor.execute("UPDATE score_runs SET state = 'failed' WHERE state IN ('scoring', 'explaining')")


def sign_models(session: TenantSession, _payload: Mapping[str, Any]) -> None:
    """Sign the models that were signed before. The seal of the archive has vouched for them."""
    for row in session.exec(select(RiskModel).where(col(RiskModel.signature).is_not(None))).all():
        artifacts.sign(session, row)
        session.add(row)
