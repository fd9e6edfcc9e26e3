"""What this room does when an import is finished, in that import's transaction: it asks for jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession


def import_finished(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Have the import and its facilities reported on, and people recorded twice looked for."""
    from tenants.quality import service

    service.request_report(session, import_uuid=payload["import_uuid"], facilities=list(payload["facilities"]))
    service.request_link(session, timedelta(minutes=get_settings().quality_link_after_minutes))
