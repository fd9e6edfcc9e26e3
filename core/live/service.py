"""The figures of all processes together, and what waits in the databases."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from core.connections.service import list_connections
from core.database import databases, platform_session, pool_states
from core.errors import AppError
from core.events.lags import outbox_lag
from core.jobs.growth import open_letters
from core.jobs.heartbeat import queue_age
from core.metrics.window import MOST_ROUTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from core.database import PoolState

ALIVE_SECONDS: Final = 30
"""Seconds after which a process that says nothing more is not shown."""
_STOPPED: Final = ("open", "forced_open")
_REPORTS: Final = text(
    "SELECT role, host, process, figures, started_at FROM platform.process_reports"
    " WHERE seen_at > now() - make_interval(secs => :alive) AND figures IS NOT NULL ORDER BY role, host, process"
)


@dataclass(frozen=True, slots=True)
class Process:
    """One process.

    Attributes:
        role: ``api`` or ``worker``.
        requests_per_second: in its last minute, as all rates here.
        jobs_per_minute: tries of jobs that ended.
    """

    role: str
    host: str
    process: int
    started_at: datetime
    requests_per_second: float
    failed_share: float
    jobs_per_minute: float


@dataclass(frozen=True, slots=True)
class Route:
    """One of the busiest routes."""

    name: str
    per_minute: float
    mean_ms: float


@dataclass(frozen=True, slots=True)
class Kind:
    """The jobs of one kind that are due or running in a data database."""

    database: str
    kind: str
    waiting: int
    running: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class DatabaseNow:
    """What waits in one data database; None where it does not answer."""

    name: str
    dead_letters: int | None
    events_waiting: int | None
    oldest_event_seconds: float | None


@dataclass(frozen=True, slots=True)
class Live:
    """What the installation does now.

    Attributes:
        requests_per_second: of all processes, without probes and assets.
        failed_share: of requests answered with a status of 500 or more; 0 without requests.
        p50_ms: half of the requests are answered within this time, read from the histogram's buckets; None without
            requests.
        p95_ms: 95 of 100 requests are.
        shed_per_minute: requests that were rejected because the API is overloaded.
        errors_per_minute: errors that nobody expected.
        jobs_per_minute: tries of jobs that ended, by outcome.
        stopped: connections to which no calls are made.
        pools: the connections of the process that answers.
    """

    processes: Sequence[Process]
    requests_per_second: float
    failed_share: float
    p50_ms: float | None
    p95_ms: float | None
    shed_per_minute: float
    errors_per_minute: float
    jobs_per_minute: dict[str, float]
    routes: Sequence[Route]
    kinds: Sequence[Kind]
    databases: Sequence[DatabaseNow]
    stopped: Sequence[str]
    pools: Sequence[PoolState]


def live() -> Live:
    """Return what the installation does now. Figures of processes are up to 10 s old.

    Raises:
        Unavailable: the control database is not there.
    """
    rows = reports()
    every = [row["figures"] for row in rows]
    buckets: defaultdict[str, float] = defaultdict(float)
    jobs: defaultdict[str, float] = defaultdict(float)
    for figures in every:
        for bound, count in figures["buckets"].items():
            buckets[bound] += count
        for outcome, count in figures["jobs"].items():
            jobs[outcome] += _rate(count, figures, 60)
    requests = sum(figures["requests"] for figures in every)
    kinds, states = _waiting()
    return Live(
        processes=[_process(row) for row in rows],
        requests_per_second=sum(_rate(figures["requests"], figures) for figures in every),
        failed_share=sum(figures["failed"] for figures in every) / requests if requests else 0.0,
        p50_ms=quantile_ms(buckets, 0.5),
        p95_ms=quantile_ms(buckets, 0.95),
        shed_per_minute=sum(_rate(figures["shed"], figures, 60) for figures in every),
        errors_per_minute=sum(_rate(figures["errors"], figures, 60) for figures in every),
        jobs_per_minute=dict(jobs),
        routes=_routes(every),
        kinds=kinds,
        databases=states,
        stopped=[each.target for each in list_connections() if each.state in _STOPPED],
        pools=pool_states(),
    )


def reports() -> list[dict[str, Any]]:
    """Return what each process that spoke in the last seconds said.

    Raises:
        Unavailable: the control database is not there.
    """
    with platform_session() as session:
        return [dict(row) for row in session.execute(_REPORTS, {"alive": ALIVE_SECONDS}).mappings()]


def quantile_ms(buckets: Mapping[str, float], share: float) -> float | None:
    """Return the milliseconds within which a share of the requests stayed; None without requests.

    As Prometheus' ``histogram_quantile``: within a bucket the values are taken as evenly spread; above the last bound
    it is that bound.

    Args:
        buckets: cumulative counts by upper bound in seconds; ``+Inf`` is among them.
        share: from 0 to 1.
    """
    bounds = sorted((math.inf if name == "+Inf" else float(name), count) for name, count in buckets.items())
    if not bounds or not bounds[-1][1]:
        return None
    wanted, low, below = share * bounds[-1][1], 0.0, 0.0
    for bound, count in bounds:
        if count >= wanted and count > below:
            if math.isinf(bound):
                return low * 1000
            return (low + (bound - low) * (wanted - below) / (count - below)) * 1000
        low, below = (low if math.isinf(bound) else bound), count
    return low * 1000


def _rate(count: float, figures: dict[str, Any], per: float = 1.0) -> float:
    return count / figures["seconds"] * per if figures["seconds"] else 0.0


def _process(row: dict[str, Any]) -> Process:
    figures = row["figures"]
    return Process(
        row["role"],
        row["host"],
        row["process"],
        row["started_at"],
        _rate(figures["requests"], figures),
        figures["failed"] / figures["requests"] if figures["requests"] else 0.0,
        _rate(sum(figures["jobs"].values()), figures, 60),
    )


def _routes(every: Sequence[dict[str, Any]]) -> list[Route]:
    rates: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, float] = defaultdict(float)
    seconds: defaultdict[str, float] = defaultdict(float)
    for figures in every:
        for name, count, taken in figures["routes"]:
            rates[name] += _rate(count, figures, 60)
            counts[name] += count
            seconds[name] += taken
    busiest = sorted(rates.items(), key=lambda each: (-each[1], each[0]))[:MOST_ROUTES]
    return [Route(name, rate, seconds[name] / counts[name] * 1000) for name, rate in busiest]


def _waiting() -> tuple[list[Kind], list[DatabaseNow]]:
    kinds, states = [], []
    for name in databases():
        try:
            kinds += [Kind(name, age.kind, age.waiting, age.running, age.oldest_seconds) for age in queue_age(name)]
            lag = outbox_lag(name)
            states.append(DatabaseNow(name, open_letters(name), lag.waiting, lag.oldest_seconds))
        except AppError:
            states.append(DatabaseNow(name, None, None, None))
    return sorted(kinds, key=lambda kind: -kind.oldest_seconds), states
