"""API routes that show the tenant's jobs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from core.access import TenantDb, require
from core.errors import FieldError, Invalid
from core.errors.nearest import remedy_for
from core.identity import Principal
from core.jobs import cancelling, repository
from core.jobs.registry import kinds
from core.jobs.schemas import JobOut, JobState
from core.web.paging import Page, PageRequest, long_pages

router = APIRouter(prefix="/jobs", tags=["jobs"])

JobsRead = Annotated[Principal, Depends(require("jobs.read"))]
JobsCancel = Annotated[Principal, Depends(require("jobs.cancel"))]
Ordered = Annotated[PageRequest, Depends(long_pages({"id": UUID}, "-id"))]
"""Page and order of the list of jobs: by id, the newest first, because ids grow with time."""


@router.get("", operation_id="list_jobs", summary="List jobs, newest first")
def list_jobs(
    _: JobsRead,
    db: TenantDb,
    paging: Ordered,
    kind: Annotated[str | None, Query(description="Only jobs of this kind.", examples=["imports.run"])] = None,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
) -> Page[JobOut]:
    """List the tenant's jobs: imports, training, scoring."""
    if kind is not None:
        _check_kind(kind)
    part = repository.list_jobs(db, paging, kind=kind, state=state)
    return Page.of(part.rows, paging, part.total, part.last)


@router.get("/{job_id}", operation_id="get_job", summary="Get a job: state and progress")
def get_job(_: JobsRead, db: TenantDb, job_id: UUID) -> JobOut:
    """Return the state of a job. Repeat until `state` is `done`, `failed`, `discarded` or `cancelled`."""
    return repository.get_job(db, job_id)


@router.post("/{job_id}/cancel", operation_id="cancel_job", summary="Cancel a job that waits or runs")
def cancel_job(_: JobsCancel, db: TenantDb, job_id: UUID) -> JobOut:
    """Cancel a job. One that waits ends at once; one that runs ends before its next step, and `cancelling` says so.

    What its finished steps did stays. The platform's own work, such as deliveries of events, cannot be cancelled.
    """
    cancelling.cancel(db, job_id)
    return repository.get_job(db, job_id)


def _check_kind(kind: str) -> None:
    known = [name for name, each in kinds().items() if not each.platform]
    if kind not in known:
        detail = "there is no such kind of job"
        raise Invalid(detail, errors=[FieldError("kind", "is not a kind of job", remedy_for(kind, known))])
