"""The API's routes for schedules."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from core.access import TenantDb, require
from core.errors import NotFound, PreconditionFailed, PreconditionRequired
from core.errors.problem import responses
from core.identity import Principal
from core.schedules import service
from core.schedules.times import LONGEST
from core.web.etag import IfMatch, set_etag

router = APIRouter(prefix="/schedules", tags=["settings"])

SettingsRead = Annotated[Principal, Depends(require("settings.read"))]
SettingsWrite = Annotated[Principal, Depends(require("settings.write"))]
CHANGE = responses(NotFound, PreconditionFailed, PreconditionRequired)
Name = Annotated[str, Path(description="Name of the schedule.", examples=["risk.night"], max_length=100)]

_SCHEDULE: dict[str, Any] = {
    "name": "risk.night",
    "description": "Scores everybody, and issues the lists of the day.",
    "cron": "30 3 * * *",
    "default_cron": "0 2 * * *",
    "active": True,
    "next_run": "2026-11-30T02:30:00Z",
    "last_run": "2026-11-29T02:30:04Z",
    "changed_by": "person:019c2292-11f9-71c2-9d0e-0b6f5f6f2c33",
    "changed_at": "2026-11-20T09:12:00Z",
}


class TenantScheduleOut(BaseModel):
    """Work that the platform repeats for the tenant."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _SCHEDULE})

    name: str = Field(description="Its name.", examples=["risk.night"])
    description: str = Field(description="What it does.")
    cron: str = Field(description="Its times, in the tenant's time zone: minute, hour, day, month, day of week.")
    default_cron: str = Field(description="Its times unless the tenant chooses others.")
    active: bool = Field(description="Whether it runs.")
    next_run: datetime | None = Field(description="When it is due next; null while it is paused.")
    last_run: datetime | None = Field(description="When it last ran; null: never.")
    changed_by: str | None = Field(description="Who last changed it; null: nobody.")
    changed_at: datetime | None = Field(description="When it was last changed; null: never.")


class ScheduleIn(BaseModel):
    """The times of a schedule, and whether it runs."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"cron": "30 3 * * *", "active": True}})

    cron: str | None = Field(
        default=None,
        max_length=LONGEST,
        description="Minute, hour, day of month, month, day of week, in the tenant's time zone; null: the default.",
        examples=["30 3 * * *"],
    )
    active: bool | None = Field(default=None, description="Whether it runs; null: the default.")


@router.get("", operation_id="list_schedules", summary="List the schedules")
def list_schedules(_: SettingsRead, db: TenantDb) -> list[TenantScheduleOut]:
    """List the work that the platform repeats for the tenant, with its times."""
    return [TenantScheduleOut.model_validate(state) for state in service.list_schedules(db)]


@router.get("/{name}", operation_id="get_schedule", summary="Get a schedule", responses=responses(NotFound))
def get_schedule(_: SettingsRead, db: TenantDb, name: Name, response: Response) -> TenantScheduleOut:
    """Return a schedule with its times, and its ETag."""
    return _answer(response, service.get_schedule(db, name))


@router.put("/{name}", operation_id="put_schedule", summary="Change or pause a schedule", responses=CHANGE)
def put_schedule(
    _: SettingsWrite, db: TenantDb, name: Name, body: ScheduleIn, if_match: IfMatch, response: Response
) -> TenantScheduleOut:
    """Set the times of a schedule, and whether it runs. Missed times of a paused schedule are not made up for."""
    state = service.change_schedule(db, name, cron=body.cron, active=body.active, source="api", expected=if_match)
    return _answer(response, state)


def _answer(response: Response, state: service.ScheduleState) -> TenantScheduleOut:
    set_etag(response, state.version, personal=False)
    return TenantScheduleOut.model_validate(state)
