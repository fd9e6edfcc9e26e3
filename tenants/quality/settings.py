"""The stored result of a tenant's last search for people recorded twice."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from core.tenancy import settings as tenant_settings

if TYPE_CHECKING:
    from core.database import TenantSession


class Linkage(BaseModel):
    """The last search for people recorded twice."""

    settings_key: ClassVar[str] = "quality_linkage"

    finished_at: datetime | None = None
    patients: int = 0
    pairs: int = 0
    failed_estimates: list[str] = []


def linkage_state(session: TenantSession) -> Linkage:
    """The state of the last search; empty when there was none."""
    return tenant_settings.get(session, Linkage)
