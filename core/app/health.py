"""Health checks, which need no credential and reveal no secrets: alive, ready, started, and each component's state."""

from datetime import datetime
from threading import Event
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from core import telemetry
from core.app import draining, probes, readiness
from core.app.components import status_of
from core.errors import FieldError, Unavailable
from core.errors.problem import MEDIA_TYPE, headers, problem, responses
from core.maintenance import current_notice

router = APIRouter(tags=["health"], prefix="/health")
TAGS = {"health": "Whether the process is alive, started and ready, and its components; without a credential."}

Excluded = Annotated[
    tuple[readiness.CheckName, ...],
    Query(description="Checks that only warn: `data_databases` serves the others' tenants while one database is away."),
]
RETRY_SECONDS: Final = 5
_was_ready = Event()


class Liveness(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "alive"}})

    status: Literal["alive"] = Field(default="alive", description="Always `alive`.")


class Startup(BaseModel):
    """The process has been ready once."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "started", "version": "1.4.0"}})

    status: Literal["started"] = Field(default="started", description="Always `started`.")
    version: str = Field(description="Version of the process, as the OpenAPI document has it.")


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


class ComponentState(BaseModel):
    """The state of one thing that this process depends on."""

    name: str = Field(description="Name of the component.")
    state: Literal["ok", "warning", "failed", "skipped"] = Field(
        description="`warning`: the platform works without it, or works slowly."
    )
    latency_ms: float | None = Field(description="How long it took to answer; null where it was not asked.")


class Maintenance(BaseModel):
    """A maintenance that the operator announces."""

    until: datetime = Field(description="When it is over.")
    message: str = Field(description="The operator's text; may be empty.")


class Health(BaseModel):
    """The state of the whole, and of each component. Operators see the details at `/v1/operators/health`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "ok",
                "components": [{"name": "postgresql", "state": "ok", "latency_ms": 1.2}],
                "maintenance": {"until": "2027-03-01T20:00:00Z", "message": "A new version is installed."},
            }
        }
    )

    status: Literal["ok", "degraded", "failed"] = Field(description="The worst state of the components.")
    components: list[ComponentState] = Field(description="The components of this process.")
    maintenance: Maintenance | None = Field(description="The maintenance that is announced; null for none.")


def as_json(report: readiness.Report, *, at_terminal: bool = False) -> dict[str, Any]:
    """Return the report as JSON for ``/health/ready``, or with ``at_terminal`` for ``iit status --json``."""
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


@router.get("/live", operation_id="health_live", summary="Check that the process is alive")
async def live() -> Liveness:
    """Answer as long as the process runs. Restart the process when this fails."""
    return Liveness()  # asks nothing and takes no thread: a server that hangs must not restart this process


@router.get(
    "/ready",
    operation_id="health_ready",
    summary="Check that the process can work",
    response_model=Readiness,
    responses=responses(Unavailable),
)
def ready(exclude: Excluded = ()) -> Response:
    """Check everything that the service needs. Send no traffic while this answers 503.

    It answers 503 from the moment at which the process is to stop. Each check is bounded in time, and the answer
    is at most a second old. The answer 503 is a problem that has the members `ready`, `checks`, `workers`, `queue` and
    `disk` too.
    """
    if draining.begun():
        stopping = Unavailable(
            "not ready: this process stops", remedy="Send the request to another process.", retry_after=1
        )
        return _problem(stopping, as_json(readiness.Report()) | {"ready": False})
    report = probes.report(exclude)
    if report.ready:
        _was_ready.set()
        return JSONResponse({"status": "ready", **as_json(report)})
    failed = [
        FieldError(one.name, one.detail, one.remedy, one.command) for one in report.checks if one.state == "failed"
    ]
    detail = f"not ready: {', '.join(one.field for one in failed)}"
    error = Unavailable(detail, remedy="Follow the remedies in 'errors'.", errors=failed, retry_after=RETRY_SECONDS)
    return _problem(error, as_json(report))


@router.get(
    "/startup",
    operation_id="health_startup",
    summary="Check that the process has started",
    response_model=Startup,
    responses=responses(Unavailable),
)
def startup(request: Request) -> Response:
    """Answer 503 until the process has been ready once. Check readiness and liveness from then on."""
    if not _was_ready.is_set():
        if not probes.report().ready:
            detail = "not started: this process has not been ready yet"
            return _problem(Unavailable(detail, remedy="See /health/ready.", retry_after=RETRY_SECONDS), {})
        _was_ready.set()
    return JSONResponse({"status": "started", "version": request.app.version})


@router.get("", operation_id="health", summary="Check the state of each component", response_model=Health)
def health() -> Response:
    """Show the state and latency of PostgreSQL, pools, Redis, queues, files, plugins and all other dependencies.

    The status of the answer is 200 also where a component fails; see `status`.
    """
    states = probes.all_components()
    shown = [{"name": one.name, "state": one.state, "latency_ms": one.latency_ms} for one in states]
    notice = current_notice()
    maintenance = None if notice is None else Maintenance(until=notice.until, message=notice.message)
    announced = None if maintenance is None else maintenance.model_dump(mode="json")
    return JSONResponse({"status": status_of(states), "components": shown, "maintenance": announced})


def _problem(error: Unavailable, more: dict[str, Any]) -> Response:
    body = {**problem(error, telemetry.request_id()), **more}
    return JSONResponse(body, error.status, headers(error), MEDIA_TYPE)
