"""The API's answers about sources of records."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from core.plugins.instances import InstanceState
from core.schedules.times import LONGEST
from tenants.imports.fetching.models import DEFAULT_CRON, FetchedFile
from tenants.imports.fetching.reasons import problem_of, remedy_of
from tenants.imports.fetching.repository import FileState
from tenants.imports.fetching.service import LARGEST_MAPPING, SourceState
from tenants.imports.uploads import DateOrder

_SOURCE: dict[str, Any] = {
    "id": "0197a5f0-6c1d-7e2b-9a40-3f5d8b21c604",
    "name": "State server",
    "plugin": "sftp",
    "state": "ready",
    "cron": "30 0 * * *",
    "active": True,
    "mapping": "",
    "dates": None,
    "strict": False,
    "next_run": "2026-11-30T23:30:00Z",
    "fetching": False,
    "began_at": "2026-11-29T23:30:02Z",
    "ended_at": "2026-11-29T23:30:09Z",
    "outcome": "done",
    "problem": "",
    "remedy": "",
    "failures": 0,
    "files_seen": 12,
    "files_fetched": 1,
    "files_waiting": 0,
    "files_rejected": 0,
    "new_file_at": "2026-11-29T23:30:09Z",
    "job_id": "019ad0c7-2f18-7b36-8d51-c92e4a7b6d13",
}


class ImportSourceOut(BaseModel):
    """A source of records: an importer, its schedule, and how the last fetch ended."""

    model_config = ConfigDict(json_schema_extra={"example": _SOURCE})

    id: UUID = Field(description="Of the source; the same as of the importer's instance under `/v1/plugin-instances`.")
    name: str = Field(description="Its name.", examples=["State server"])
    plugin: str = Field(description="Name of the importer.", examples=["sftp"])
    state: InstanceState = Field(
        description="Whether the importer can be used. `failing`: it is used, and fails again and again. `missing`: its"
        " plugin is not installed. `needs-secrets`: it was restored from an archive, which carries no secrets."
    )
    cron: str = Field(
        description="Times of fetches, in the partner's time zone: minute, hour, day, month, day of week."
    )
    active: bool = Field(description="Whether the schedule runs.")
    mapping: str = Field(description="The mapping (YAML) of its files; empty if their format needs none.")
    dates: DateOrder | None = Field(description="What comes first in dates such as 03/04/2024; null: detected.")
    strict: bool = Field(description="Whether one rejected row means that nothing of a file is imported.")
    next_run: datetime | None = Field(description="When the next fetch is due; null: paused, or not ready.")
    fetching: bool = Field(description="Whether a fetch waits or runs.")
    began_at: datetime | None = Field(description="When the last fetch began; null: never.")
    ended_at: datetime | None = Field(description="When the last fetch ended; null: never, or it still runs.")
    outcome: Literal["done", "failed"] | None = Field(description="How the last fetch ended; null: none has.")
    problem: str = Field(description="What was wrong; empty if nothing.", examples=["the source denies access"])
    remedy: str = Field(description="What to do about it; empty if nothing.")
    failures: int = Field(description="Fetches in a row that failed.")
    files_seen: int = Field(description="Files that the last fetch found.")
    files_fetched: int = Field(description="New files whose import the last fetch began.")
    files_waiting: int = Field(description="Files that the last fetch left for the next one.")
    files_rejected: int = Field(description="Files of the source that were not imported, until they change.")
    new_file_at: datetime | None = Field(description="When a new file was last fetched; null: never.")
    job_id: UUID | None = Field(description="The job of the last fetch; null: there was none.")

    @classmethod
    def of(cls, state: SourceState) -> ImportSourceOut:
        """The answer about a source."""
        names = cls.model_fields.keys() & set(SourceState.__slots__)
        facts = {name: getattr(state, name) for name in names}
        terms = {name: getattr(state.terms, name) for name in ("cron", "active", "mapping", "dates", "strict")}
        words = {"problem": problem_of(state.problem), "remedy": remedy_of(state.problem)}
        return cls(**{**facts, **terms, **words, "fetching": state.is_fetching})


class ImportSourceIn(BaseModel):
    """When a source is fetched, and how its files are imported."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"cron": "30 0 * * *", "active": True}})

    cron: str = Field(
        default=DEFAULT_CRON,
        max_length=LONGEST,
        description="Minute, hour, day of month, month, day of week, in the partner's time zone.",
        examples=["30 0 * * *"],
    )
    active: bool = Field(default=True, description="Whether the schedule runs.")
    mapping: str = Field(
        default="", max_length=LARGEST_MAPPING, description="The mapping (YAML), if the format needs one."
    )
    dates: DateOrder | None = Field(
        default=None, description="What comes first in dates such as 03/04/2024; null: detect it."
    )
    strict: bool = Field(default=False, description="Import nothing of a file if any row is rejected.")


class FetchIn(BaseModel):
    """What to fetch."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"again": False}})

    again: bool = Field(default=False, description="Try rejected files again, though they did not change.")


class FetchedFileOut(BaseModel):
    """A file of a source, as it was when it was last fetched."""

    id: UUID = Field(description="Identifier of the file.")
    name: str = Field(description="Its name in the source.", examples=["radet-2026-11.xlsx"])
    size: int | None = Field(description="Bytes; null: the source does not say.")
    modified_at: datetime | None = Field(description="When it was changed, by the source; null: it does not say.")
    fetched_at: datetime = Field(description="When it was fetched, or rejected.")
    state: Literal["importing", "imported", "rejected", "cancelled", "undone"] = Field(
        description="What became of it. A rejected file is not fetched again until it, or the settings, change."
    )
    problem: str = Field(description="Why it was rejected; empty if it was not.", examples=["the file is empty"])
    remedy: str = Field(description="What to do about it; empty if nothing.", examples=["Send it again, whole"])
    import_id: UUID | None = Field(description="The import of it; null: it was rejected before.")

    @classmethod
    def of(cls, row: FetchedFile, state: FileState) -> FetchedFileOut:
        """The answer about a file."""
        known: Any = state.state
        return cls(
            id=row.id,
            name=row.name,
            size=None if row.size < 0 else row.size,
            modified_at=row.modified_at,
            fetched_at=row.fetched_at,
            state=known,
            problem=row.detail or state.error or problem_of(row.problem),
            remedy="" if row.detail or state.error else remedy_of(row.problem),
            import_id=row.import_uuid,
        )
