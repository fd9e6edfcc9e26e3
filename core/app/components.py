"""The state of everything that this process depends on, for ``/health`` and the operators' page."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from core.app import bounded
from core.database import node_session, pool_states, psycopg_connection
from core.database.replica import ReplicaState, replica_state
from core.database.replica_marks import has_replica
from core.errors import AppError
from core.plugins import failures
from core.resilience.dependencies import dependencies
from core.resilience.instances import instances

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.app.readiness import Report
    from core.resilience.instances import Instance

State = Literal["ok", "warning", "failed", "skipped"]

ASK_SECONDS: Final = 2.0
"""Seconds that the questions to one data database may take."""

RELAY_SLOW_SECONDS: Final = 60.0
"""Seconds that an event or a due job may wait for the relay before its component warns."""

_FIGURES: Final = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM node.dead_letters WHERE resolution IS NULL LIMIT 10000) AS letters),
    coalesce(extract(epoch FROM now() - (SELECT min(published_at) FROM node.outbox WHERE forwarded_at IS NULL)), 0),
    coalesce(extract(epoch FROM now() - (SELECT min(run_after) FROM node.jobs
        WHERE state = 'queued' AND run_after <= now())), 0)
"""

_WITHOUT_REPLICA: Final = "Reports read in the database meanwhile. See docs/how-to/add-a-read-replica.md."


@dataclass(frozen=True, slots=True)
class Component:
    """One thing that this process depends on.

    Attributes:
        name: such as ``postgresql`` or ``mail_server``.
        state: ``warning`` if the platform works without it, or works slowly.
        latency_ms: how long it took to answer; None if it was not asked.
        detail: what is wrong.
        remedy: what to do.
        figures: numbers about it.
    """

    name: str
    state: State
    latency_ms: float | None = None
    detail: str = ""
    remedy: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


def components(report: Report) -> list[Component]:
    """Return the components, those of the report first. Bounded in time, whatever hangs."""
    every = [Component(each.name, each.state, each.duration_ms, each.detail, each.remedy) for each in report.checks]
    every += _pools()
    every += _replica()
    for database in report.answering:
        every += _of_database(database)
    every += _plugins()
    return every + [_of_dependency(name) for name in dependencies()]


def status_of(every: list[Component]) -> Literal["ok", "degraded", "failed"]:
    """Return the state of the whole."""
    states = {component.state for component in every}
    if "failed" in states:
        return "failed"
    return "degraded" if states & {"warning", "skipped"} else "ok"


def _pools() -> Iterator[Component]:
    for pool in pool_states():
        most = pool.size + pool.most_overflow
        full = pool.in_use >= most
        yield Component(
            f"pool_{pool.database}",
            "warning" if full else "ok",
            detail="every connection is in use: requests wait" if full else "",
            remedy="Look for slow queries, or raise IIT_DATABASE_POOL_SIZE." if full else "",
            figures={
                "in_use": pool.in_use,
                "idle": pool.idle,
                "overflow": pool.overflow,
                "most": most,
                "waits": pool.waits,
            },
        )


def _replica() -> Iterator[Component]:
    if not has_replica():
        return
    states: list[ReplicaState] = []
    began = time.perf_counter()
    try:
        bounded.within(ASK_SECONDS, "replica", lambda: states.append(replica_state()))
    except (AppError, TimeoutError):
        yield Component("replica", "warning", None, "the replica does not answer", _WITHOUT_REPLICA)
        return
    latency, state = round((time.perf_counter() - began) * 1000, 2), states[0]
    detail = "" if state.fits else "the replica is too far behind" if state.streams else "the server is no replica"
    yield Component(
        "replica",
        "ok" if state.fits else "warning",
        latency,
        detail,
        "" if state.fits else _WITHOUT_REPLICA,
        {"lag_seconds": None if state.lag is None else round(state.lag, 1)},
    )


def _of_database(database: str) -> Iterator[Component]:
    figures: list[tuple[int, float, float]] = []
    began = time.perf_counter()
    try:
        bounded.within(ASK_SECONDS, f"figures-{database}", _asking(database, figures))
    except (AppError, TimeoutError) as error:
        detail = error.detail if isinstance(error, AppError) else "it did not answer in time"
        yield Component(f"jobs_{database}", "failed", None, detail)
        return
    latency = round((time.perf_counter() - began) * 1000, 2)
    dead, event, job = figures[0]
    lag = max(event, job)
    yield Component(
        f"dead_letters_{database}",
        "warning" if dead else "ok",
        latency,
        f"{dead} jobs failed for good" if dead else "",
        "Look at each under Operators, Jobs; retry or discard it." if dead else "",
        {"dead_letters": dead},
    )
    slow = lag > RELAY_SLOW_SECONDS
    yield Component(
        f"relay_{database}",
        "warning" if slow else "ok",
        latency,
        f"events or due jobs have waited for {lag:.0f} s" if slow else "",
        "Start a worker, or more of them." if slow else "",
        {"oldest_event_seconds": round(event, 1), "oldest_due_job_seconds": round(job, 1)},
    )


def _asking(database: str, figures: list[tuple[int, float, float]]) -> Callable[[], None]:
    def ask() -> None:
        with node_session(database) as session:
            row = psycopg_connection(session).execute(_FIGURES).fetchone()
        if row is not None:
            figures.append((int(row[0]), float(row[1]), float(row[2])))

    return ask


def _plugins() -> Iterator[Component]:
    failed = failures()
    names = ", ".join(sorted({plugin for plugin, _ in failed}))
    yield Component(
        "plugins",
        "warning" if failed else "ok",
        detail=f"plugins failed in this process: {names}" if failed else "",
        remedy="See the log of this process." if failed else "",
        figures={"failures": sum(failed.values())},
    )


def _of_dependency(name: str) -> Component:
    called = [instance for instance in instances() if instance.dependency.name == name]
    stopped = [instance for instance in called if instance.breaker.state in ("open", "forced_open")]
    return Component(
        name,
        "warning" if stopped else "ok",
        round(max((instance.latency_ms for instance in called), default=0.0), 2) if called else None,
        f"calls are stopped: {', '.join(_described(instance) for instance in stopped)}" if stopped else "",
        "See Operators, Connections." if stopped else "",
        {
            "calls": sum(instance.calls for instance in called),
            "failures": sum(instance.failures for instance in called),
            "rejected": sum(instance.rejected for instance in called),
        },
    )


def _described(instance: Instance) -> str:
    return f"{instance.name or instance.dependency.name} ({instance.last_error or instance.breaker.state})"
