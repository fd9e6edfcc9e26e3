"""Deletion of old rows, kind by kind, in batches that are transactions. A second run does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from core import audit, blobs, telemetry
from core.clock import now, today
from core.database import tenant_session
from core.feature_registry import resolve
from core.metering.storage import measure
from core.retention.settings import RetentionRun, kinds, retention_model
from core.tenancy import settings as tenant_settings
from core.tenancy.rounds import for_each_tenant

if TYPE_CHECKING:
    from datetime import date
    from threading import Event

    from core.database import TenantRef, TenantSession
    from core.telemetry.progress import ProgressCallback

log = telemetry.get_logger(__name__)

ACTOR: Final = "system:retention"
MEASURED: Final = ("active", "suspended", "deleting")
"""States in which a tenant's schema is complete."""


@dataclass(frozen=True, slots=True)
class RetentionResult:
    """The result of a run of retention: deleted rows by kind, and the number of expired blobs."""

    rows: dict[str, int]
    blobs: int


def days_of(session: TenantSession) -> dict[str, int]:
    """The tenant's days by kind."""
    return tenant_settings.get(session, retention_model()).model_dump()


def run(tenant: TenantRef, *, actor: str = ACTOR, progress: ProgressCallback | None = None) -> RetentionResult:
    """Delete everything of this tenant that is older than its days."""
    with tenant_session(tenant, actor=actor, readonly=True) as session:
        days = days_of(session)
    rows: dict[str, int] = {}
    for name, kind in kinds().items():
        function, rows[name] = resolve(kind.function), 0
        before = now() - timedelta(days=days[name])
        while True:
            with tenant_session(tenant, actor=actor) as session:
                gone = function(session, before)
            rows[name] += gone
            if progress is not None:
                progress(sum(rows.values()), None, name)
            if not gone:
                break
    purged = blobs.purge(tenant)
    with tenant_session(tenant, actor=actor) as session:
        tenant_settings.put(session, RetentionRun(day=today(tenant.time_zone)))
        if any(rows.values()):
            audit.record(session, "system:retention:run", "retention", None, {"rows": rows})
    return RetentionResult(rows, purged.days)


def run_due(stopping: Event) -> dict[str, str]:
    """Do the day's upkeep of each tenant that still needs it: measure storage, and delete old rows.

    Deletion is for active tenants, measuring for all.

    Returns:
        Slug -> error, for each tenant that failed.
    """
    return for_each_tenant(stopping, _keep_up, state=None)


def _keep_up(tenant: TenantRef) -> None:
    if tenant.state in MEASURED:
        measure(tenant)
    if tenant.state == "active" and _last_run(tenant) != today(tenant.time_zone):
        run(tenant)


def look(stopping: Event) -> None:
    """Do the day's upkeep where it is due, and log for which tenants it failed: a round of the loop ``retention``."""
    failed = run_due(stopping)
    if failed:
        log.warning("retention failed", tenants=failed)


def _last_run(tenant: TenantRef) -> date | None:
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        return tenant_settings.get(session, RetentionRun).day
