"""The job of an import was given up, retried or discarded: the import says that it stands still, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from tenants.imports import repository
from tenants.imports.models import UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession
    from tenants.imports.models import Import

JOB = "imports.run"
RESUME = "send the same files again to resume it"
CANCEL = f"{RESUME}, or cancel it"
_WHY = {
    "attempts": "it failed too often",
    "interruptions": "it ended the process that ran it",
    "refused": "what it needs is missing",
}


def say_given_up(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Write on the import that its job was given up."""
    why = _WHY.get(str(payload["reason"]), "")
    reason = f" ({payload['error']})" if payload["error"] and payload["reason"] != "interruptions" else ""
    _say(session, payload, f"its job was given up: {why}{reason}")


def say_discarded(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Write on the import that its job was discarded."""
    _say(session, payload, "its job was discarded by an operator")


def say_retried(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Take back what was written when the job was given up: it runs again."""
    row = _import_of(session, payload)
    if row is not None:
        forget(row)
        session.add(row)


def forget(row: Import) -> None:
    """The import is worked on again: nothing holds it up."""
    row.error, row.failure = None, None


def stands_still(row: Import) -> bool:
    """Whether the import's job was given up or discarded, and none has taken its place."""
    return row.state in UNFINISHED and row.error is not None


def _say(session: TenantSession, payload: Mapping[str, Any], problem: str) -> None:
    row = _import_of(session, payload)
    if row is None:
        return
    row.error = problem
    row.failure = [{"field": "", "problem": problem, "remedy": RESUME if row.state == "applying" else CANCEL}]
    session.add(row)


def _import_of(session: TenantSession, payload: Mapping[str, Any]) -> Import | None:
    """The import that the event is about, while it is not over; None for events about other jobs."""
    if payload["kind"] != JOB:
        return None
    row = repository.find(session, UUID(payload["payload"]["import_uuid"]), lock=True)
    if row is None or row.state not in UNFINISHED or row.job_uuid != payload["job_uuid"]:
        return None
    return row
