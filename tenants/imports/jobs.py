"""The job that runs an uploaded import."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from core.jobs import job

if TYPE_CHECKING:
    from core.jobs import JobContext


@job("imports.run", max_attempts=5, lease=timedelta(minutes=2))
def run(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Run the import named in the payload, or go on with it."""
    from tenants.imports.uploads import run_upload

    run_upload(ctx, UUID(payload["import_uuid"]))


@job("imports.undo", max_attempts=5, lease=timedelta(minutes=2))
def undo(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Bring the records in line after the import named in the payload was undone, or go on with it."""
    from tenants.imports.applying.undoing import finish

    finish(ctx.session, UUID(payload["import_uuid"]), ctx.progress)
