"""The jobs of the feature ``reports``, and the loop that asks for those of schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from core import blobs, telemetry
from core.database import tenant_session
from core.jobs import job
from core.tenancy import settings as tenant_settings
from core.tenancy.rounds import for_each_tenant
from tenants.reports import files, schedules
from tenants.reports.models import ReportFile
from tenants.reports.settings import ReportSettings

if TYPE_CHECKING:
    from threading import Event

    from core.database import TenantRef
    from core.jobs import JobContext

log = telemetry.get_logger(__name__)
ACTOR = "system:reports"


@job(files.MAKE_JOB, max_attempts=3, on_end=files.job_ended)
def make(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Make the file of a report while no transaction is open, and record it. Skip a report that was deleted."""
    report_id = UUID(payload["report_id"])
    with ctx.session() as session:
        row = session.get(ReportFile, report_id)
        if row is None:
            ctx.finish(session)
            return
        session.expunge(row)
        keep_days, tenant = tenant_settings.get(session, ReportSettings).keep_days, session.tenant
    with files.make(tenant, row) as content:
        ref = blobs.put(tenant, f"report.{row.format}", content, expires_in_days=keep_days)
    with ctx.session() as session:
        files.store(session, report_id, ref, keep_days)
        ctx.finish(session)


def ask_for_due(stopping: Event) -> None:
    """Ask for the reports of each tenant whose schedules are due: a round of the loop ``report_schedules``."""
    failed = for_each_tenant(stopping, _ask_for_due)
    if failed:
        log.warning("scheduled reports could not be asked for", tenants=failed)


def _ask_for_due(tenant: TenantRef) -> None:
    with tenant_session(tenant, actor=ACTOR) as session:
        schedules.request_due(session)
