"""The API's routes of the installation's operators: pauses and limits of jobs."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.access import require_operator
from core.errors import FieldError, Invalid, NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.jobs import limits, pauses
from core.jobs.scopes import LONGEST_REASON, JobScope
from core.tenancy import describe_tenant

router = APIRouter(prefix="/operators", tags=["operators"])

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
Writer = Annotated[Principal, Depends(require_operator("operations.write"))]

_JOBS: dict[str, Any] = {"tenant": "unity", "kind": "reports.make", "platform": False}
_SET: dict[str, Any] = {"set_by": "operator:019c2292-11f9-71c2-9d0e-0b6f5f6f2c35", "set_at": "2026-11-29T08:15:00Z"}
_PAUSE: dict[str, Any] = {**_JOBS, "reason": "The store of files moves."}
_LIMIT: dict[str, Any] = {**_JOBS, "at_once": 1, "reason": "Leaves room for imports."}


class JobsNamed(BaseModel):
    """Which jobs: those of a tenant, of a kind, of a kind of a tenant, or of the platform itself."""

    model_config = ConfigDict(extra="forbid", from_attributes=True, json_schema_extra={"example": _JOBS})

    tenant: str | None = Field(default=None, max_length=100, description="Slug of the tenant; null: all tenants.")
    kind: str | None = Field(default=None, max_length=100, description="Kind of job; null: all kinds.")
    platform: bool = Field(default=False, description="Whether only the jobs of the platform itself.")

    def scope(self) -> JobScope:
        """Return the jobs.

        Raises:
            NotFound: there is no such tenant (404).
            Invalid: a tenant and the platform are named (422).
        """
        if self.tenant and self.platform:
            error = FieldError("platform", "excludes a tenant", "Name a tenant or the platform.")
            raise Invalid("the jobs are not named", errors=[error])
        tenant = describe_tenant(self.tenant).ref() if self.tenant else None
        return JobScope(tenant, self.kind or None, self.platform)


class PauseIn(JobsNamed):
    """Jobs that are not to start."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _PAUSE})

    reason: str = Field(
        min_length=1, max_length=LONGEST_REASON, description="Why; other operators read it. Name no person."
    )


class LimitIn(PauseIn):
    """How many jobs run at the same time, for each tenant."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _LIMIT})

    at_once: int = Field(ge=1, le=limits.LARGEST, description="How many. To stop jobs, pause them.")


class PauseOut(JobsNamed):
    """Jobs that do not start."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": {**_PAUSE, **_SET}})

    reason: str = Field(description="Why.")
    set_by: str = Field(description="Who set it.")
    set_at: datetime = Field(description="When it was set.")


class LimitOut(PauseOut):
    """How many jobs run at the same time, for each tenant."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": {**_LIMIT, **_SET}})

    at_once: int = Field(description="How many.")


class Pauses(BaseModel):
    """All pauses, the oldest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"pauses": [{**_PAUSE, **_SET}]}})

    pauses: list[PauseOut] = Field(description="Jobs that do not start.")


class Limits(BaseModel):
    """All limits that operators set, the oldest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"limits": [{**_LIMIT, **_SET}]}})

    limits: list[LimitOut] = Field(description="They take the place of a kind's own limit and of the installation's.")


@router.get("/job-pauses", operation_id="list_job_pauses", summary="List the pauses of jobs")
def list_job_pauses(_: Reader) -> Pauses:
    """Return the jobs that do not start, with who paused them and why."""
    return _pauses()


@router.put("/job-pauses", operation_id="put_job_pause", summary="Set a pause of jobs", responses=responses(NotFound))
def put_job_pause(principal: Writer, body: PauseIn) -> PauseOut:
    """Let no more of these jobs start. Running jobs go on. A second call replaces the reason."""
    return PauseOut.model_validate(pauses.pause(body.scope(), body.reason, actor=principal.actor, source="api"))


@router.post(
    "/job-pauses/remove",
    operation_id="remove_job_pause",
    summary="Remove a pause of jobs",
    responses=responses(NotFound),
)
def remove_job_pause(principal: Writer, body: JobsNamed) -> Pauses:
    """End the pause of exactly these jobs, and return the pauses that remain."""
    pauses.resume(body.scope(), actor=principal.actor, source="api")
    return _pauses()


@router.get("/job-limits", operation_id="list_job_limits", summary="List the limits of jobs")
def list_job_limits(_: Reader) -> Limits:
    """Return the limits that operators set, with who set them and why."""
    return _limits()


@router.put("/job-limits", operation_id="put_job_limit", summary="Set a limit of jobs", responses=responses(NotFound))
def put_job_limit(principal: Writer, body: LimitIn) -> LimitOut:
    """Set how many of these jobs run at the same time, for each tenant. A second call replaces the first."""
    limit = limits.set_limit(body.scope(), body.at_once, body.reason, actor=principal.actor, source="api")
    return LimitOut.model_validate(limit)


@router.post(
    "/job-limits/remove",
    operation_id="remove_job_limit",
    summary="Remove a limit of jobs",
    responses=responses(NotFound),
)
def remove_job_limit(principal: Writer, body: JobsNamed) -> Limits:
    """Remove the limit of exactly these jobs, and return the limits that remain."""
    limits.remove_limit(body.scope(), actor=principal.actor, source="api")
    return _limits()


def _pauses() -> Pauses:
    return Pauses(pauses=[PauseOut.model_validate(each) for each in pauses.list_pauses()])


def _limits() -> Limits:
    return Limits(limits=[LimitOut.model_validate(each) for each in limits.list_limits()])
