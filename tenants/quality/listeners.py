"""Listeners of the feature ``quality``: in the transaction that finishes an import they enqueue jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession


def import_finished(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Enqueue a report on the import's facilities, and a search for people recorded twice."""
    from tenants.quality import service

    service.request_report(session, import_id=payload["import_id"], facilities=list(payload["facility_ids"]))
    service.request_link(session, timedelta(minutes=get_settings().quality_link_after_minutes))
