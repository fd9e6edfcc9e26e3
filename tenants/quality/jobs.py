"""The jobs of the feature ``quality``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from core import audit
from core.jobs import job
from tenants.quality import service
from tenants.quality.linkage import search

if TYPE_CHECKING:
    from core.jobs import JobContext


@job(service.REPORT_JOB)
def report(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Measure the facilities of an import, or all facilities, and store the reports in one transaction."""
    import_id = payload.get("import_id")
    facilities = payload.get("facilities")
    with ctx.session() as session:
        ctx.progress(0, None, "measuring the records")
        row = service.make_reports(
            session,
            import_id=UUID(import_id) if import_id else None,
            facilities=None if facilities is None else [UUID(each) for each in facilities],
        )
        audit.record(session, "job:quality:report", "quality_report", row.uuid)
        ctx.finish(session)


@job(service.LINK_JOB, lease=timedelta(minutes=15))
def link(ctx: JobContext, payload: dict[str, Any]) -> None:  # noqa: ARG001 - the job concerns the whole tenant
    """Search for people recorded twice. No transaction is open between reading and writing."""
    with ctx.session() as session:
        ctx.progress(0, 3, "making keys of who the patients are")
        people = search.read(session)
    ctx.progress(1, 3, "comparing")
    comparison = search.compare(people)
    with ctx.session() as session:
        ctx.progress(2, 3, "keeping candidates")
        outcome = search.keep(session, people, comparison)
        audit.record(session, "job:quality:link", "linkage", None, outcome.to_json())
        ctx.finish(session)
