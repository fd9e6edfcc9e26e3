"""The jobs of the feature ``reports``, and the loop that asks for those of schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlmodel import col, select

from core import blobs, telemetry
from core.errors import Conflict, Invalid
from core.jobs import job
from core.tenancy import settings as tenant_settings
from core.tenancy.rounds import for_each_tenant
from core.web.problem_texts import problem_text
from tenants.reports import due, erasure, files, letters, making
from tenants.reports.models import ReportFile
from tenants.reports.settings import ReportSettings

if TYPE_CHECKING:
    from threading import Event

    from core.jobs import JobContext

log = telemetry.get_logger(__name__)


@job(files.MAKE_JOB, on_end=files.job_ended)
def make(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Make the file of a report while no transaction is open, and record it. Skip one that was deleted or made.

    A report whose content cannot be made fails at once, with the reason and the remedy.
    """
    report_id = UUID(payload["report_id"])
    with ctx.session() as session:
        row = session.get(ReportFile, report_id)
        if row is None or row.state == "made":
            ctx.finish(session)
            return
        session.expunge(row)
        keep_days, tenant = tenant_settings.get(session, ReportSettings).keep_days, session.tenant
    try:
        content = making.make(tenant, row)
    except (Invalid, Conflict) as error:  # another try would end the same
        with ctx.session() as session:
            files.fail(session, report_id, problem_text(error))
            ctx.finish(session)
        return
    with content:
        ref = blobs.put(tenant, f"report.{row.format}", content, expires_in_days=keep_days)
    with ctx.session() as session:
        stored = files.store(session, row, ref, keep_days)
        if stored is not None:
            letters.publish(session, stored)
            ctx.finish(session)
    if stored is None:
        blobs.delete(tenant, ref.key)
        detail = "a person was erased while this report was made"
        raise Conflict(detail, remedy="make it again")


@job(erasure.DISCARD_JOB)
def discard(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Delete the files of expired reports, and forget them."""
    reports = [UUID(report_id) for report_id in payload["report_ids"]]
    with ctx.session() as session:
        rows = session.exec(select(ReportFile).where(col(ReportFile.uuid).in_(reports))).all()
        keys = [row.blob for row in rows if row.blob is not None]
    for key in keys:
        blobs.delete(ctx.tenant, key)
    with ctx.session() as session:
        for row in session.exec(select(ReportFile).where(col(ReportFile.uuid).in_(reports))).all():
            row.blob = None
        ctx.finish(session)


def ask_for_due(stopping: Event) -> None:
    """Ask for the reports of each tenant whose schedules are due: a round of the loop ``report_schedules``."""
    failed = for_each_tenant(stopping, due.request_due)
    if failed:
        log.warning("scheduled reports could not be asked for", tenants=failed)
