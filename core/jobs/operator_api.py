"""The API's routes of the installation's operators: jobs and dead letters of all tenants."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from core.access import require_operator
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.jobs import decisions, operations
from core.jobs.schemas import StoredState
from core.tenancy import describe_tenant

router = APIRouter(prefix="/operators/jobs", tags=["operators"])

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
Writer = Annotated[Principal, Depends(require_operator("operations.write"))]
MOST = 200

_JOB: dict[str, Any] = {
    "id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c33",
    "kind": "imports.run",
    "state": "dead",
    "tenant_id": "019c2292-0f00-7000-8000-000000000001",
    "attempts": 3,
    "error": "ZeroDivisionError at tenants/imports/run.py:120 in _apply",
    "run_after": "2026-02-03T08:15:00Z",
    "created_at": "2026-02-03T08:15:00Z",
    "finished_at": "2026-02-03T08:16:10Z",
    "first_failed_at": "2026-02-03T08:15:02Z",
    "last_failed_at": "2026-02-03T08:16:10Z",
}
_FAILURE: dict[str, Any] = {"at": "2026-02-03T08:16:10Z", "error": "ZeroDivisionError at tenants/imports/run.py:120"}
_FAILURES: dict[str, Any] = {
    "first": _FAILURE,
    "last": _FAILURE,
    "trace": [
        {
            "error": "ZeroDivisionError",
            "frames": [{"file": "tenants/imports/run.py", "line": 120, "function": "_apply"}],
        }
    ],
}
_LETTER: dict[str, Any] = {
    "reason": "attempts",
    "error": "ZeroDivisionError at tenants/imports/run.py:120 in _apply",
    "failures": _FAILURES,
    "attempts": 3,
    "died_at": "2026-02-03T08:16:10Z",
    "resolution": None,
    "resolved_at": None,
    "resolved_by": None,
    "resolution_reason": None,
}
_ONE: dict[str, Any] = {**_JOB, "payload": {"import_id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c34"}, "letters": [_LETTER]}


class OperatorJob(BaseModel):
    """A job of any tenant, or of the platform."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _JOB})

    id: UUID = Field(description="The job.")
    kind: str = Field(description="What it does.", examples=["imports.run"])
    state: StoredState = Field(description="`dead` jobs wait for an operator.")
    tenant_id: UUID | None = Field(description="Its tenant; null for a job of the platform.")
    attempts: int = Field(description="Tries that ended in an error.")
    error: str | None = Field(description="Kind and place of the last error, without values.")
    run_after: datetime = Field(description="Not before.")
    created_at: datetime = Field(description="When the job was created.")
    finished_at: datetime | None = Field(description="When the job ended; null: it has not ended.")
    first_failed_at: datetime | None = Field(description="When it first failed; null: it has not failed.")
    last_failed_at: datetime | None = Field(description="When it last failed; null: it has not failed.")


class OperatorJobs(BaseModel):
    """Jobs, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"jobs": [_JOB]}})

    jobs: list[OperatorJob] = Field(description="At most as many as `limit` says.")


class FrameOut(BaseModel):
    """One frame of a traceback."""

    file: str = Field(description="File, within the project or its package.")
    line: int = Field(description="Line.")
    function: str = Field(description="Function.")


class TracedErrorOut(BaseModel):
    """One error of a chain of causes."""

    error: str = Field(description="Its type, without values.")
    frames: list[FrameOut] = Field(description="The innermost frames, the outermost first.")


class FailureOut(BaseModel):
    """One failure."""

    at: datetime = Field(description="When it failed.")
    error: str | None = Field(description="Kind and place of the error, without values.")


class FailuresOut(BaseModel):
    """The first and the last failure, and the frames of the last error."""

    model_config = ConfigDict(json_schema_extra={"example": _FAILURES})

    first: FailureOut = Field(description="The first failure.")
    last: FailureOut = Field(description="The last failure.")
    trace: list[TracedErrorOut] | None = Field(description="The error, then its causes; null if a process died.")


class LetterOut(BaseModel):
    """A dead letter."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _LETTER})

    reason: str = Field(description="Why the job was given up.", examples=["attempts"])
    error: str | None = Field(description="Kind and place of the last error, without values.")
    failures: FailuresOut | None = Field(description="Its failures; null for letters of an older version.")
    attempts: int = Field(description="Tries that ended in an error.")
    died_at: datetime = Field(description="When it was given up.")
    resolution: str | None = Field(description="`retried` or `discarded`; null: it waits for an operator.")
    resolved_at: datetime | None = Field(description="When an operator decided.")
    resolved_by: str | None = Field(description="Who decided.")
    resolution_reason: str | None = Field(description="Why it was discarded.")


class OperatorJobDetail(OperatorJob):
    """A job with its payload and its dead letters."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _ONE})

    payload: dict[str, Any] = Field(description="What it works on. Personal fields and secrets are `[hidden]`.")
    letters: list[LetterOut] = Field(description="Its dead letters, the oldest first.")


class RetryIn(BaseModel):
    """How to retry a dead job."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"payload": _ONE["payload"]}})

    payload: dict[str, Any] | None = Field(
        default=None,
        description="The new payload, edited from the one that `GET` returns; null: the payload stays. A value that is"
        " still `[hidden]` stays as it is stored.",
    )


class RetryAllIn(BaseModel):
    """Which dead jobs to retry, and how fast. Name a kind, a tenant or both."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"kind": "imports.run", "per_minute": 60}})

    kind: str | None = Field(default=None, max_length=100, description="Only jobs of this kind.")
    tenant: str | None = Field(default=None, max_length=100, description="Only jobs of the tenant with this slug.")
    per_minute: int = Field(default=60, ge=1, le=decisions.FASTEST, description="How many become due in a minute.")


class RetriedJobsOut(BaseModel):
    """What was queued again."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={"example": {"retried": 41, "skipped": 1, "more": False, "seconds": 40.0}},
    )

    retried: int = Field(description="Jobs that are queued again.")
    skipped: int = Field(description="Jobs that were not: their work was requested again, or their feature rejects it.")
    more: bool = Field(description="Whether more are dead than one call retries: repeat the call.")
    seconds: float = Field(description="Seconds after which the last of them is due.")


class DiscardIn(BaseModel):
    """Why to give a dead job up for good."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "The partner sent a new file."}})

    reason: str = Field(
        min_length=1,
        max_length=decisions.LONGEST_REASON,
        description="Why; other operators read it. Name no person.",
    )


@router.get("", operation_id="list_all_jobs", summary="List jobs of all tenants, newest first")
def list_all_jobs(
    _: Reader,
    state: Annotated[StoredState | None, Query(description="Only jobs in this state.")] = None,
    tenant: Annotated[str | None, Query(max_length=100, description="Only jobs of the tenant with this slug.")] = None,
    kind: Annotated[str | None, Query(max_length=100, description="Only jobs of this kind.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many to return.")] = 50,
) -> OperatorJobs:
    """Return the newest jobs that match all conditions."""
    chosen = describe_tenant(tenant).ref() if tenant else None
    rows = operations.find(state=state, tenant=chosen, kind=kind, limit=limit)
    return OperatorJobs(jobs=[OperatorJob.model_validate(row) for row in rows])


@router.get("/{job_id}", operation_id="get_any_job", summary="Get a job of any tenant, with its dead letters")
def get_any_job(_: Reader, job_id: UUID) -> OperatorJobDetail:
    """Return a job with its payload, its failures and its dead letters. Personal fields are hidden."""
    return _shown(job_id)


@router.post("/retry", operation_id="retry_jobs", summary="Retry the dead jobs of a kind or tenant, at a rate")
def retry_jobs(principal: Writer, body: RetryAllIn) -> RetriedJobsOut:
    """Queue dead jobs again, the oldest first, so that `per_minute` of them become due in a minute."""
    tenant = describe_tenant(body.tenant).ref() if body.tenant else None
    done = decisions.retry_all(
        kind=body.kind, tenant=tenant, per_minute=body.per_minute, actor=principal.actor, source="api"
    )
    return RetriedJobsOut.model_validate(done)


@router.post("/{job_id}/retry", operation_id="retry_job", summary="Retry a dead job", dependencies=[CONTROL_DATABASE])
def retry_job(principal: Writer, job_id: UUID, body: RetryIn) -> OperatorJobDetail:
    """Queue a dead job again, as it was or with another payload. Its dead letter keeps the old payload."""
    decisions.retry(job_id, payload=body.payload, actor=principal.actor, source="api")
    return _shown(job_id)


@router.post(
    "/{job_id}/discard", operation_id="discard_job", summary="Discard a dead job", dependencies=[CONTROL_DATABASE]
)
def discard_job(principal: Writer, job_id: UUID, body: DiscardIn) -> OperatorJobDetail:
    """Give a dead job up for good. Its feature learns of it; the reason stays on its dead letter."""
    decisions.discard(job_id, body.reason, actor=principal.actor, source="api")
    return _shown(job_id)


def _shown(job_id: UUID) -> OperatorJobDetail:
    job = operations.show(job_id)
    failures = job.get("failures") or {}
    ends = {f"{end}_failed_at": failures.get(end, {}).get("at") for end in ("first", "last")}
    return OperatorJobDetail.model_validate({**job, **ends, "letters": job["dead_letters"]})
