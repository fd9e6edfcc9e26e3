"""The breakers of all processes for operators: see them, hold one open or closed, let the calls decide again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import text

from core.audit.platform import record_act
from core.database import platform_session
from core.errors import FieldError, Invalid, NotFound
from core.errors.nearest import remedy_for
from core.resilience.dependencies import dependencies
from core.resilience.instances import target_of

if TYPE_CHECKING:
    from collections.abc import Iterable

Forced = Literal["open", "closed"]

ALIVE_SECONDS: Final = 60
"""Seconds after which the report of a process that says nothing more is not shown."""

LONGEST_REASON: Final = 200
LONGEST_TARGET: Final = 300
_WORST: Final = ("closed", "forced_closed", "half_open", "open", "forced_open")
_REPORTS: Final = text(
    "SELECT role, host, process, instances, seen_at FROM platform.process_reports"
    " WHERE seen_at > now() - make_interval(secs => :alive) ORDER BY role, host, process"
)
_OVERRIDES: Final = text("SELECT target, state, reason, set_by, set_at FROM platform.breaker_overrides")
_FORCE: Final = text(
    "INSERT INTO platform.breaker_overrides (target, state, reason, set_by) VALUES (:target, :state, :reason, :actor)"
    " ON CONFLICT (target) DO UPDATE SET state = excluded.state, reason = excluded.reason, set_by = excluded.set_by,"
    " set_at = now()"
)
_RELEASE: Final = text("DELETE FROM platform.breaker_overrides WHERE target = :target")


@dataclass(frozen=True, slots=True)
class Override:
    """What an operator forced."""

    state: Forced
    reason: str
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One breaker on one process.

    Attributes:
        process: such as ``api 4711``.
        state: ``closed``, ``open``, ``half_open``, ``forced_open`` or ``forced_closed``.
        last_error: the kind of the last failure; empty if there was none.
    """

    process: str
    host: str
    state: str
    calls: int
    failures: int
    rejected: int
    latency_ms: float
    last_error: str
    last_error_at: datetime | None


@dataclass(frozen=True, slots=True)
class Connection:
    """A dependency, or one instance of it, on all processes.

    Attributes:
        target: the name by which it is forced.
        about: what it is for, and what happens without it.
        state: the worst state of all processes; ``unused`` if none has called it.
        override: what an operator forced; None if the calls decide.
    """

    target: str
    about: str
    state: str
    override: Override | None
    processes: tuple[ProcessState, ...]


def list_connections() -> list[Connection]:
    """Return every dependency, its instances, and what is forced, by name.

    Raises:
        Unavailable: the control database is not there.
    """
    with platform_session() as session:
        reports = [dict(row) for row in session.execute(_REPORTS, {"alive": ALIVE_SECONDS}).mappings()]
        forced = {
            row["target"]: Override(row["state"], row["reason"], row["set_by"], row["set_at"])
            for row in session.execute(_OVERRIDES).mappings()
        }
    states: dict[str, list[ProcessState]] = {name: [] for name in dependencies()}
    for target in forced:
        states.setdefault(target, [])
    for report in reports:
        for stored in report["instances"]:
            name, instance = str(stored["dependency"]), str(stored["instance"])
            target = target_of(name, instance)
            states.setdefault(target, []).append(_state_of(report, stored))
    return [_connection(target, states[target], forced) for target in sorted(states)]


def get_connection(target: str) -> Connection:
    """Return one dependency or instance.

    Raises:
        NotFound: there is no such dependency.
    """
    _require_known(target)
    for connection in list_connections():
        if connection.target == target:
            return connection
    dependency = dependencies()[target.partition("/")[0]]
    return Connection(target, dependency.about, "unused", None, ())


def force(target: str, state: Forced, reason: str, *, actor: str, source: str = "cli") -> Connection:
    """Hold a breaker open or closed on every process, within seconds, until ``release``.

    Args:
        target: a dependency, or ``dependency/instance``.
        state: ``open`` stops all calls; ``closed`` lets all through.
        reason: why; other operators read it.
        actor: who acts.
        source: ``cli``, ``api`` or ``page``.

    Raises:
        NotFound: there is no such dependency.
        Invalid: there is no reason, or it is too long.
    """
    _require_known(target)
    why = reason.strip()
    if not why or len(why) > LONGEST_REASON:
        problem = "is missing" if not why else f"is longer than {LONGEST_REASON} characters"
        remedy = "Say why, for the other operators; name no person."
        raise Invalid("the reason is not valid", errors=[FieldError("reason", problem, remedy)])
    with platform_session() as session:
        session.execute(_FORCE, {"target": target, "state": state, "reason": why, "actor": actor})
        detail = {"target": target, "state": state, "reason": why}
        record_act(session, f"{source}:breaker:force", actor=actor, tenant_id=None, detail=detail)
    return get_connection(target)


def release(target: str, *, actor: str, source: str = "cli") -> Connection:
    """Let the calls decide again. Does nothing if nothing is forced.

    Raises:
        NotFound: there is no such dependency.
    """
    _require_known(target)
    with platform_session() as session:
        removed: Any = session.execute(_RELEASE, {"target": target})
        if removed.rowcount:
            record_act(session, f"{source}:breaker:release", actor=actor, tenant_id=None, detail={"target": target})
    return get_connection(target)


def _require_known(target: str) -> None:
    known = dependencies()
    name, slash, instance = target.partition("/")
    dependency = known.get(name)
    fits = dependency is not None and (not slash or (dependency.by_instance and bool(instance)))
    if not fits or len(target) > LONGEST_TARGET:
        detail = "there is no such connection"
        raise NotFound(detail, remedy=remedy_for(name, known))


def _state_of(report: dict[str, Any], stored: dict[str, Any]) -> ProcessState:
    moment = stored["last_error_at"]
    return ProcessState(
        f"{report['role']} {report['process']}",
        report["host"],
        stored["state"],
        stored["calls"],
        stored["failures"],
        stored["rejected"],
        stored["latency_ms"],
        stored["last_error"],
        None if moment is None else datetime.fromtimestamp(moment, UTC),
    )


def _connection(target: str, processes: Iterable[ProcessState], forced: dict[str, Override]) -> Connection:
    name = target.partition("/")[0]
    dependency = dependencies().get(name)
    states = tuple(processes)
    worst = max((each.state for each in states), key=_WORST.index, default="unused")
    override = forced.get(target)
    return Connection(target, "" if dependency is None else dependency.about, worst, override, states)
