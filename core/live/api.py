"""The API's route of what the installation does now, for its operators."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.access import require_operator
from core.identity import Principal
from core.live import service

router = APIRouter(prefix="/operators/live", tags=["operators"])

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
_EXAMPLE: dict[str, Any] = {
    "processes": [
        {
            "role": "api",
            "host": "app-1",
            "process": 4711,
            "started_at": "2026-11-29T08:15:00Z",
            "requests_per_second": 12.5,
            "failed_share": 0.0,
            "jobs_per_minute": 0.0,
        }
    ],
    "requests_per_second": 12.5,
    "failed_share": 0.0,
    "p50_ms": 18.2,
    "p95_ms": 96.0,
    "shed_per_minute": 0.0,
    "errors_per_minute": 0.0,
    "jobs_per_minute": {"done": 42.0},
    "routes": [{"name": "GET /v1/patients", "per_minute": 300.0, "mean_ms": 21.4}],
    "kinds": [{"database": "default", "kind": "risk.night", "waiting": 2, "running": 1, "oldest_seconds": 14.0}],
    "databases": [{"name": "default", "dead_letters": 0, "events_waiting": 0, "oldest_event_seconds": None}],
    "stopped": [],
}


class LiveProcess(BaseModel):
    """One server or worker."""

    role: Literal["api", "worker"] = Field(description="What it does.")
    host: str = Field(description="The machine.", examples=["app-1"])
    process: int = Field(description="Its process number.")
    started_at: datetime = Field(description="When it started.")
    requests_per_second: float = Field(description="Requests in its last minute, without probes and assets.")
    failed_share: float = Field(description="Share of them answered with a status of 500 or more.")
    jobs_per_minute: float = Field(description="Tries of jobs that ended in its last minute.")


class LiveRoute(BaseModel):
    """One of the busiest routes."""

    name: str = Field(description="Method and template.", examples=["GET /v1/patients"])
    per_minute: float = Field(description="Requests in a minute.")
    mean_ms: float = Field(description="Mean time of an answer, in milliseconds.")


class LiveKind(BaseModel):
    """The jobs of one kind that are due or running in a data database."""

    database: str = Field(description="The data database.")
    kind: str = Field(description="The kind of jobs.", examples=["risk.night"])
    waiting: int = Field(description="Jobs that are due, and that no worker has taken.")
    running: int = Field(description="Jobs that a worker runs.")
    oldest_seconds: float = Field(description="How long the oldest has been due; 0 if none waits.")


class LiveDatabase(BaseModel):
    """What waits in one data database; null where it does not answer."""

    name: str = Field(description="The data database.")
    dead_letters: int | None = Field(description="Jobs that failed for good.")
    events_waiting: int | None = Field(description="Events that wait for the relay.")
    oldest_event_seconds: float | None = Field(description="How long the oldest of them has waited.")


class LiveOut(BaseModel):
    """What the installation does now."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    processes: list[LiveProcess] = Field(description="Servers and workers that spoke in the last 30 seconds.")
    requests_per_second: float = Field(description="Requests of all, without probes and assets.")
    failed_share: float = Field(description="Share of them answered with a status of 500 or more.")
    p50_ms: float | None = Field(
        description="Half of them are answered in this time, as the buckets of a histogram say."
    )
    p95_ms: float | None = Field(description="95 of 100 are answered in this time.")
    shed_per_minute: float = Field(description="Requests that were rejected because the API is overloaded.")
    errors_per_minute: float = Field(description="Errors that nobody expected.")
    jobs_per_minute: dict[str, float] = Field(description="Tries of jobs that ended, by outcome.")
    routes: list[LiveRoute] = Field(description="The busiest routes.")
    kinds: list[LiveKind] = Field(description="Jobs that are due or running, the longest due first.")
    databases: list[LiveDatabase] = Field(description="What waits in each data database.")
    stopped: list[str] = Field(description="Connections to which no calls are made.", examples=[["mail_server"]])


@router.get("", operation_id="get_operator_live", summary="Get the figures of the last minute")
def get_operator_live(_: Reader) -> LiveOut:
    """Return the rates of the last minute and what waits. Figures of processes are up to 10 seconds old."""
    return LiveOut.model_validate(asdict(service.live()))
