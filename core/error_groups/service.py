"""Grouped errors for operators: list them, look at one, resolve it, ignore it, open it again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from core.audit.platform import record_act
from core.database import platform_session
from core.error_groups import repository
from core.errors import NotFound
from core.events.operator_events import ERRORS, changed
from core.settings import get_settings

if TYPE_CHECKING:
    from threading import Event

State = Literal["open", "resolved", "ignored"]
MOST: Final = 200


@dataclass(frozen=True, slots=True)
class ErrorGroupView:
    """A group of errors as operators see it; see ``core.error_groups.models`` for its fields."""

    id: UUID
    kind: str
    place: str
    frames: list[str]
    role: str
    release: str
    count: int
    first_seen: datetime
    last_seen: datetime
    trace_id: str | None
    request_id: str | None
    state: State
    state_by: str | None
    state_at: datetime | None
    reopened: int


def list_groups(state: State | None = "open") -> list[ErrorGroupView]:
    """Return the groups of a state, or all, last seen first; at most 200.

    Raises:
        Unavailable: the control database is not there.
    """
    with platform_session() as session:
        return [ErrorGroupView(**row) for row in repository.list_rows(session, state or "", MOST)]


def get_group(group_id: UUID) -> ErrorGroupView:
    """Return one group.

    Raises:
        NotFound: there is none of this id.
    """
    with platform_session() as session:
        row = repository.one_row(session, group_id)
    if row is None:
        raise _not_found()
    return ErrorGroupView(**row)


def set_state(group_id: UUID, state: State, *, actor: str, source: str = "cli") -> ErrorGroupView:
    """Resolve or ignore a group, or open it again. Does nothing if it is in the state.

    Args:
        group_id: the group.
        state: ``resolved``: the next error opens it again. ``ignored``: it stays so.
        actor: who acts.
        source: ``cli``, ``api`` or ``page``.

    Raises:
        NotFound: there is none of this id.
    """
    with platform_session() as session:
        if repository.change_state(session, group_id, state, actor):
            detail = {"error_group": str(group_id), "state": state}
            record_act(session, f"{source}:error:{_ACTS[state]}", actor=actor, tenant_id=None, detail=detail)
    changed(ERRORS)
    return get_group(group_id)


def remove_unseen(_stopping: Event) -> None:
    """Remove the groups that were not seen for ``IIT_ERRORS_KEEP_DAYS``: a round of a loop."""
    with platform_session() as session:
        repository.remove_unseen(session, get_settings().errors_keep_days)


_ACTS: Final = {"open": "reopen", "resolved": "resolve", "ignored": "ignore"}


def _not_found() -> NotFound:
    detail = "there is no such error"
    return NotFound(detail, remedy="List the errors; one that was not seen for long is removed.")
