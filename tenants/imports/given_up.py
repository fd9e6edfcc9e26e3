"""The job of an import was given up, discarded or retried: the import says that it is stalled, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from tenants.imports import repository
from tenants.imports.models import UNFINISHED

if TYPE_CHECKING:
    from core.database import TenantSession
    from core.jobs import JobEnd
    from tenants.imports.models import Import

JOB = "imports.run"
UNDO_JOB = "imports.undo"
STALLED = "stalled"
"""State that callers see instead of the one in which the import is stalled."""

RESUME = "send the same files again to resume it"
CANCEL = f"{RESUME}, or cancel it"
UNDO = "undo the import again to resume it"
_WORKED_ON = (*UNFINISHED, "undoing")


def job_ended(session: TenantSession, end: JobEnd) -> None:
    """Write on the import of the job that no worker works on it, or after a retry that one does."""
    row = repository.find(session, UUID(end.payload["import_uuid"]), lock=True)
    if row is None or row.state not in _WORKED_ON or row.job_uuid != end.job_id:
        return
    if end.stalled:
        stall(row, end.problem)
    else:
        forget(row)
    session.add(row)


def stall(row: Import, problem: str) -> None:
    """Say on the import why no worker works on it, and what to do."""
    remedy = {"applying": RESUME, "undoing": UNDO}.get(row.state, CANCEL)
    row.error, row.failure = problem, [{"field": "", "problem": problem, "remedy": remedy}]


def forget(row: Import) -> None:
    """Remove what ``stall`` wrote: the import is worked on again."""
    row.error, row.failure = None, None


def stands_still(row: Import) -> bool:
    """Whether the import's job was given up or discarded, and none has taken its place."""
    return row.state in _WORKED_ON and row.error is not None


def shown_state(row: Import) -> str:
    """The state for callers: ``stalled`` while no worker works on an import that is not over."""
    return STALLED if stands_still(row) else row.state
