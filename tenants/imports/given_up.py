"""Record on an import that its job failed for good, was discarded or was retried, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from core.errors import phrase
from tenants.imports import repository
from tenants.imports.models import UNFINISHED

if TYPE_CHECKING:
    from core.database import TenantSession
    from core.jobs import JobEnd
    from tenants.imports.models import Import

JOB = "imports.run"
UNDO_JOB = "imports.undo"
STALLED = "stalled"
"""The state that callers see while an import stalls, instead of its stored state."""

RESUME = phrase("send the same files again to resume it")
CANCEL = phrase("send the same files again to resume it, or cancel it")
UNDO = phrase("undo the import again to resume it")
STATE_WORDS = {
    word: word
    for word in (
        phrase("pending"),
        phrase("reading"),
        phrase("checking"),
        phrase("applying"),
        phrase("done"),
        phrase("failed"),
        phrase("cancelled"),
        phrase("undoing"),
        phrase("undone"),
    )
}
"""The words of the states in texts of errors."""

_WORKED_ON = (*UNFINISHED, "undoing")


def job_ended(session: TenantSession, end: JobEnd) -> None:
    """Record on a job's import that it stalls, or, after a retry, that it continues."""
    row = repository.find(session, UUID(end.payload["import_uuid"]), lock=True)
    if row is None or row.state not in _WORKED_ON or row.job_uuid != end.job_id:
        return
    if end.stalled:
        stall(row, end.problem)
    else:
        forget(row)
    session.add(row)


def stall(row: Import, problem: str) -> None:
    """Record on the import why it stalls, and what to do."""
    remedy = {"applying": RESUME, "undoing": UNDO}.get(row.state, CANCEL)
    row.error, row.failure = problem, [{"field": "", "problem": problem, "remedy": remedy}]


def forget(row: Import) -> None:
    """Remove what ``stall`` recorded: a worker works on the import again."""
    row.error, row.failure = None, None


def is_stalled(row: Import) -> bool:
    """Whether the import's job was given up or discarded, and no other job has replaced it."""
    return row.state in _WORKED_ON and row.error is not None


def shown_state(row: Import) -> str:
    """The state for callers: ``stalled`` while no worker works on an unfinished import."""
    return STALLED if is_stalled(row) else row.state
