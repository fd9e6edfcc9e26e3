"""Health checks: /healthz and /readyz, which need no credential and reveal no secrets."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from core import telemetry
from core.app import readiness
from core.errors import FieldError, Unavailable
from core.errors.problem import MEDIA_TYPE, headers, problem, responses

router = APIRouter(tags=["health"])
TAGS = {"health": "Whether the process is alive, and whether it can work; without a credential."}

Excluded = Annotated[
    tuple[readiness.CheckName, ...],
    Query(description="Checks that only warn: `data_databases` serves the others' tenants while one database is away."),
]


class Liveness(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "alive"}})

    status: Literal["alive"] = Field(default="alive", description="Always `alive`.")


class Check(BaseModel):
    """The check of one thing that the service needs."""

    name: str = Field(description="Name of the check.")
    state: Literal["ok", "warning", "failed", "skipped"] = Field(
        description="`warning` does not make the answer 503; `failed` does."
    )
    detail: str = Field(description="What is wrong; empty where nothing is.")
    remedy: str = Field(description="What to do about it.")
    duration_ms: float = Field(description="How long the check took, in milliseconds.")


class Queue(BaseModel):
    """The jobs of all data databases; null where they could not be asked."""

    waiting: int | None = Field(description="Jobs that are due and that no worker has taken.")
    running: int | None = Field(description="Jobs that a worker runs now.")
    oldest_seconds: float | None = Field(description="How long the oldest waiting job has been due.")


class Disk(BaseModel):
    """The free space on one disk."""

    place: str = Field(description="state, database, files, scratch or temporary.")
    free_bytes: int = Field(description="Bytes that are free.")
    total_bytes: int = Field(description="Size of the disk in bytes.")


class Readiness(BaseModel):
    """Everything that is needed answers; a check may warn."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "ready",
                "ready": True,
                "checks": [{"name": "postgresql", "state": "ok", "detail": "", "remedy": "", "duration_ms": 1.2}],
                "workers": 1,
                "queue": {"waiting": 0, "running": 1, "oldest_seconds": 0.0},
                "disk": [{"place": "state", "free_bytes": 75_000_000_000, "total_bytes": 250_000_000_000}],
            }
        }
    )

    status: Literal["ready"] = Field(default="ready", description="Always `ready`.")
    ready: bool = Field(description="Whether no check failed.")
    checks: list[Check] = Field(description="The checks, in the order in which they ran.")
    workers: int | None = Field(description="Live workers.")
    queue: Queue = Field(description="The jobs that wait and run.")
    disk: list[Disk] = Field(description="The free space on each disk.")


def as_json(report: readiness.Report, *, at_terminal: bool = False) -> dict[str, Any]:
    """Return the report as JSON for ``/readyz``, or with ``at_terminal`` for ``iit status --json``."""
    return {
        "ready": report.ready,
        "checks": [
            {
                "name": outcome.name,
                "state": outcome.state,
                "detail": outcome.detail,
                "remedy": outcome.at_terminal if at_terminal else outcome.remedy,
                "duration_ms": outcome.duration_ms,
            }
            for outcome in report.checks
        ],
        "workers": report.workers,
        "queue": {name: getattr(report, name) for name in ("waiting", "running", "oldest_seconds")},
        "disk": [
            {name: getattr(disk, name) for name in ("place", "free_bytes", "total_bytes")} for disk in report.disk
        ],
    }


@router.get("/healthz", operation_id="healthz", summary="Check that the process is alive")
def healthz() -> Liveness:
    """Answer as long as the process runs. Restart the process when this fails."""
    return Liveness()


@router.get(
    "/readyz",
    operation_id="readyz",
    summary="Check that the process can work",
    response_model=Readiness,
    responses=responses(Unavailable),
)
def readyz(exclude: Excluded = ()) -> Response:
    """Check everything that the service needs. Send no traffic while this answers 503.

    The answer 503 is a problem that has the members `ready`, `checks`, `workers`, `queue` and `disk` too.
    """
    report = readiness.report(exclude)
    if report.ready:
        return JSONResponse({"status": "ready", **as_json(report)})
    failed = [
        FieldError(one.name, one.detail, one.remedy, one.command) for one in report.checks if one.state == "failed"
    ]
    detail = f"not ready: {', '.join(one.field for one in failed)}"
    error = Unavailable(detail, remedy="Follow the remedies in 'errors'.", errors=failed, retry_after=5)
    body = {**problem(error, telemetry.request_id()), **as_json(report)}
    return JSONResponse(body, error.status, headers(error), MEDIA_TYPE)
