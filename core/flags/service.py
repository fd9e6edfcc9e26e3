"""Operators' view of flags, and their changes, which are in the platform's audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from core.audit.platform import record_act
from core.clock import now
from core.database import after_commit, lock_installation, platform_session, psycopg_connection
from core.errors import Conflict, Invalid
from core.flags import repository
from core.flags.asking import memory
from core.flags.declaration import find_flag, flags
from core.flags.definition import Definition
from core.settings import get_settings

if TYPE_CHECKING:
    from datetime import datetime

    from core.flags.declaration import Flag

MOST: Final = 200
"""Most changes that are shown."""


@dataclass(frozen=True, slots=True)
class FlagState:
    """A declared flag and how it is set.

    Attributes:
        definition: None while it has its default.
        change: number of its last change; 0 if it was never set.
        stale: whether it should be gone from the code.
    """

    flag: Flag
    definition: Definition | None
    change: int
    changed_by: str | None
    changed_at: datetime | None
    reason: str | None
    stale: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a flag; ``definition`` is None where it was given back to its default."""

    number: int
    definition: Definition | None
    reason: str
    actor: str
    changed_at: datetime


def list_flags() -> list[FlagState]:
    """Return every declared flag, by name."""
    with platform_session() as session:
        stored = repository.states(session)
    return [_state(flag, stored.get(name)) for name, flag in sorted(flags().items())]


def get_flag(name: str) -> FlagState:
    """Return one flag.

    Raises:
        NotFound: no feature declares it.
    """
    flag = find_flag(name)
    with platform_session() as session:
        return _state(flag, repository.states(session, name).get(name))


def undeclared() -> list[str]:
    """Return the names of flags that are set and that no feature declares: what a removed flag leaves."""
    return sorted(repository.stored_definitions().keys() - flags().keys())


def flag_history(name: str) -> list[Change]:
    """Return the last 200 changes of a flag, newest first.

    Raises:
        NotFound: no feature declares it.
    """
    find_flag(name)
    with platform_session() as session:
        rows = repository.history(session, name, MOST)
    return [
        Change(row["number"], _read(row["definition"]), row["reason"], row["actor"], row["changed_at"]) for row in rows
    ]


def set_flag(
    name: str,
    definition: Definition | None,
    *,
    reason: str,
    actor: str,
    source: str = "cli",
    change: int | None = None,
) -> FlagState:
    """Set a flag, or give it back to its default with None. Every process follows within a second or so.

    Args:
        name: of the flag.
        definition: how it is to be set.
        reason: why; the history and the audit have it.
        actor: who acts.
        source: ``api``, ``cli`` or ``page``.
        change: number of the last change that the actor saw; None does not compare.

    Raises:
        NotFound: no feature declares it.
        Invalid: no reason, a variant that the code does not know, or Unleash's engine rejects the definition.
        Conflict: somebody else changed it meanwhile, or the flags are Unleash's.
    """
    flag = find_flag(name)
    _check(flag, definition, reason)
    with platform_session() as session:
        with psycopg_connection(session).cursor() as cursor:
            lock_installation(cursor, repository.LOCK)
        if change is not None and repository.last_change(session, name) != change:
            detail = "somebody else changed the flag meanwhile"
            raise Conflict(detail, remedy="look at it again, then repeat the change")
        stored = None if definition is None else definition.model_dump(mode="json", exclude_none=True)
        repository.store(session, name, stored, reason.strip(), actor)
        detail_of = {"flag": name, "on": flag.default if definition is None else definition.enabled}
        record_act(session, f"{source}:flag:change", actor=actor, tenant_id=None, detail=detail_of)
        after_commit(session, _changed)
    return get_flag(name)


def _changed() -> None:
    memory.read()
    repository.announce()


def _check(flag: Flag, definition: Definition | None, reason: str) -> None:
    if get_settings().unleash_url is not None:
        detail = "the flags of this installation are those of its Unleash server"
        raise Conflict(detail, remedy="change the flag there")
    if not reason.strip():
        detail = "a change of a flag needs a reason"
        raise Invalid(detail, remedy="say why")
    unknown = set() if definition is None else definition.names() - set(flag.variants)
    if unknown:
        detail = "the code does not know a variant of this definition"
        raise Invalid(
            detail,
            remedy="Name the variants that the flag declares: GET /v1/operators/flags/{name} lists them.",
            command="name the variants that `iit flag show` lists",
        )


def _state(flag: Flag, row: dict[str, Any] | None) -> FlagState:
    stale = flag.is_stale(now().date())
    if row is None:
        return FlagState(flag, None, 0, None, None, None, stale)
    definition = _read(row["definition"])
    return FlagState(flag, definition, row["change"], row["actor"], row["changed_at"], row["reason"], stale)


def _read(stored: dict[str, Any] | None) -> Definition | None:
    return None if stored is None else Definition.model_validate(stored)
