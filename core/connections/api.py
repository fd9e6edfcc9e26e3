"""The API's routes of the installation's operators: connections with their breakers, and the health in detail."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.access import require_operator
from core.connections import service
from core.identity import Principal

router = APIRouter(prefix="/operators/connections", tags=["operators"])

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
Writer = Annotated[Principal, Depends(require_operator("operations.write"))]
State = Literal["closed", "open", "half_open", "forced_open", "forced_closed"]


_PROCESS: dict[str, Any] = {
    "process": "api 4711",
    "host": "app-1",
    "state": "open",
    "calls": 120,
    "failures": 7,
    "rejected": 31,
    "latency_ms": 212.5,
    "last_error": "ReadTimeout",
    "last_error_at": "2026-11-29T08:15:00Z",
}
_CONNECTION: dict[str, Any] = {
    "target": "mail_server",
    "about": "The SMTP server. Without it, letters wait in their jobs.",
    "state": "open",
    "override": None,
    "processes": [_PROCESS],
}


class ProcessOut(BaseModel):
    """One breaker on one process."""

    model_config = ConfigDict(from_attributes=True)

    process: str = Field(description="Role and process number.", examples=["api 4711"])
    host: str = Field(description="The machine.", examples=["app-1"])
    state: State = Field(description="The breaker's state.")
    calls: int = Field(description="Calls since the process started.")
    failures: int = Field(description="Calls that failed.")
    rejected: int = Field(description="Calls that were not made: the breaker was open, or too many were under way.")
    latency_ms: float = Field(description="Moving average of the time that a call takes, in milliseconds.")
    last_error: str = Field(description="Kind of the last failure; empty if there was none.", examples=["ReadTimeout"])
    last_error_at: datetime | None = Field(description="When the last failure was.")


class OverrideOut(BaseModel):
    """What an operator forced."""

    model_config = ConfigDict(from_attributes=True)

    state: Literal["open", "closed"] = Field(description="`open` stops all calls; `closed` lets all through.")
    reason: str = Field(description="Why.", examples=["The mail server moves to another host."])
    set_by: str = Field(description="Who forced it.", examples=["cli:operator"])
    set_at: datetime = Field(description="When.")


class ConnectionOut(BaseModel):
    """A dependency, or one instance of it, on all processes."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _CONNECTION})

    target: str = Field(description="Its name.", examples=["mail_server"])
    about: str = Field(description="What it is for, and what happens without it.")
    state: State | Literal["unused"] = Field(description="The worst state of all processes.")
    override: OverrideOut | None = Field(description="What an operator forced; null if the calls decide.")
    processes: list[ProcessOut] = Field(description="Its breaker on each process that has called it.")


class Connections(BaseModel):
    """All connections."""

    model_config = ConfigDict(json_schema_extra={"example": {"connections": [_CONNECTION]}})

    connections: list[ConnectionOut] = Field(description="By name.")


class HoldIn(BaseModel):
    """Which breaker to hold, how, and why."""

    model_config = ConfigDict(extra="forbid")

    target: str = Field(
        min_length=1,
        max_length=service.LONGEST_TARGET,
        description="A dependency, or one instance of it, as the list names it.",
        examples=["mail_server", "sign_in_providers/sign-in.example.org"],
    )
    state: Literal["open", "closed", "auto"] = Field(
        description="`open` stops all calls; `closed` lets all through; `auto` lets the calls decide again."
    )
    reason: str = Field(
        default="",
        max_length=service.LONGEST_REASON,
        description="Why; other operators read it. Name no person. Needed unless `state` is `auto`.",
        examples=["The mail server moves to another host."],
    )


@router.get("", operation_id="list_connections", summary="List what the installation calls, with its breakers")
def list_connections(_: Reader) -> Connections:
    """Return every dependency and its instances, with the breaker's state on each process."""
    listed = [ConnectionOut.model_validate(each) for each in service.list_connections()]
    return Connections(connections=listed)


@router.put("", operation_id="hold_connection", summary="Set whether a breaker is held open or closed")
def hold_connection(principal: Writer, body: HoldIn) -> ConnectionOut:
    """Hold the breaker on every process, within seconds, or let the calls decide again."""
    if body.state == "auto":
        connection = service.release(body.target, actor=principal.actor, source="api")
    else:
        connection = service.force(body.target, body.state, body.reason, actor=principal.actor, source="api")
    return ConnectionOut.model_validate(connection)
