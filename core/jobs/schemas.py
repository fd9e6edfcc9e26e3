"""Answers of the API about jobs."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

JobState = Literal["queued", "running", "done", "failed", "discarded", "cancelled"]
StoredState = Literal["queued", "sent", "running", "done", "dead", "discarded", "cancelled"]


class ProgressOut(BaseModel):
    """The progress of a job."""

    done: int | None = Field(description="Units done.", examples=[12_000])
    total: int | None = Field(description="Units in all; null while that is not known.", examples=[30_000])
    note: str | None = Field(description="What is going on.", examples=["dispensations"])


_RUNNING: dict[str, Any] = {
    "id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c33",
    "kind": "imports.run",
    "state": "running",
    "progress": {"done": 12_000, "total": 30_000, "note": "dispensations"},
    "attempts": 0,
    "error": None,
    "priority": "normal",
    "run_after": "2026-02-03T08:15:00Z",
    "deadline": None,
    "cancelling": False,
    "result": None,
    "result_until": None,
    "created_at": "2026-02-03T08:15:00Z",
    "started_at": "2026-02-03T08:15:02Z",
    "finished_at": None,
}


class AcceptedJob(BaseModel):
    """The job that does what was asked."""

    job_id: UUID = Field(description="The job; follow it at `GET /v1/jobs/{job_id}`.")


class JobOut(BaseModel):
    """A job of the caller's tenant."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _RUNNING})

    id: UUID = Field(description="Identifier of the job.")
    kind: str = Field(description="What it does.", examples=["imports.run"])
    state: JobState = Field(description="`failed` jobs wait for an operator.")
    progress: ProgressOut = Field(description="Progress of the job.")
    attempts: int = Field(description="Tries that ended in an error.")
    error: str | None = Field(description="Kind and place of the last error.", examples=[None])
    priority: Literal["high", "normal", "low"] = Field(description="Order among the partner's own jobs.")
    run_after: datetime = Field(description="Not before.")
    deadline: datetime | None = Field(description="A job that has not ended by then is given up; null: no deadline.")
    result: dict[str, Any] | None = Field(description="The result, if its kind has one; null after `result_until`.")
    result_until: datetime | None = Field(description="Until when the result can be read.")
    cancelling: bool = Field(description="Whether it was cancelled while it runs: it ends before its next step.")
    created_at: datetime = Field(description="When the job was created.")
    started_at: datetime | None = Field(description="When the work began; null: it has not begun.")
    finished_at: datetime | None = Field(description="When the work ended; null: it has not ended.")
