"""The jobs of imports."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from core.jobs import Retry, job
from tenants.imports.given_up import JOB, UNDO_JOB, job_ended

if TYPE_CHECKING:
    from core.jobs import JobContext


@job(JOB, retry=Retry(5), lease=timedelta(minutes=2), on_end=job_ended)
def run(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Run, or resume, the import in the payload."""
    from tenants.imports.uploads import run_upload

    run_upload(ctx, UUID(payload["import_uuid"]))


@job(UNDO_JOB, retry=Retry(5), lease=timedelta(minutes=2), on_end=job_ended)
def undo(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Update the records after the import in the payload was undone, or resume that."""
    from tenants.imports.applying.undoing import finish

    finish(ctx.session, UUID(payload["import_uuid"]), ctx.progress)
