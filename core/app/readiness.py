"""Readiness: checks whether this installation works, and returns the figures that operators need first.

``/health/ready`` and ``iit status`` show the same report. It names no tenant, no path, no host and no address. Each
check is bounded in time.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from core import scratch
from core.app import bounded
from core.database import DEFAULT_DATABASE, databases, platform_session, require_migrated
from core.errors import AppError
from core.identity.people.names import is_reserved
from core.services import ensure
from core.services import state as remembered
from core.settings import get_settings
from core.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

REDIS_SECONDS: Final = 2.0
CHECK_SECONDS: Final = 3.0
"""Seconds that one check may take, before it counts as failed."""

ALL_SECONDS: Final = 6.0
"""Seconds that all checks together may take."""

QUEUE_SLOW_SECONDS: Final = 900.0
"""Seconds that a job may be due before the check of the queue warns."""

FEWEST_INODES: Final = 1000
PAGE: Final = "See docs/how-to/run-on-your-own-servers.md, which says what to do about each check."
_DATABASES_OF_TENANTS = text("SELECT DISTINCT database FROM platform.tenants WHERE phase IS DISTINCT FROM 'purging'")

State = Literal["ok", "warning", "failed", "skipped"]
CheckName = Literal[
    "postgresql",
    "redis",
    "migrations",
    "master_key",
    "data_databases",
    "blob_store",
    "disk",
    "workers",
    "queue",
    "demo_accounts",
]
log = get_logger(__name__)


class Finding(Exception):  # noqa: N818 - a warning is not an error
    """A fault that a check reports; anybody may read its text."""

    def __init__(self, detail: str, remedy: str, state: State = "failed", *, command: str = "") -> None:
        super().__init__(detail)
        self.detail, self.remedy, self.state, self.command = detail, remedy, state, command


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one check.

    Attributes:
        state: ``skipped`` if the check needs a database that does not answer.
        detail: what is wrong; empty if nothing is.
        remedy: what to do about it.
        command: the remedy at the command line, if it is a different one.
    """

    name: str
    state: State
    detail: str = ""
    remedy: str = ""
    duration_ms: float = 0.0
    command: str = ""

    @property
    def at_terminal(self) -> str:
        """The remedy for a reader at the command line."""
        return self.command or self.remedy


@dataclass(frozen=True, slots=True)
class Disk:
    """The free space on the disk of one place: ``state``, ``database``, ``files``, ``scratch`` or ``temporary``."""

    place: str
    free_bytes: int
    total_bytes: int


@dataclass(slots=True)
class Report:
    """The outcomes of all checks, and the figures that they read.

    Attributes:
        workers: live workers; None if no database could be asked.
        waiting: jobs that are due and that no worker has taken.
        running: jobs that a worker runs now.
        oldest_seconds: how long the oldest waiting job has been due.
        answering: the data databases that answer and are migrated.
    """

    checks: list[Outcome] = field(default_factory=list)
    workers: int | None = None
    waiting: int | None = None
    running: int | None = None
    oldest_seconds: float | None = None
    disk: list[Disk] = field(default_factory=list)
    answering: list[str] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Return whether no check failed."""
        return not any(outcome.state == "failed" for outcome in self.checks)


def report(exclude: Collection[str] = (), stopped: Mapping[str, Outcome] | None = None) -> Report:
    """Run every check; skip those that need the database if it does not answer.

    Args:
        exclude: checks that only warn instead of failing.
        stopped: outcomes of servers that do not run; with it, no server is asked, because asking could start one.
    """
    summary = Report()
    away, until = bool(stopped), time.monotonic() + ALL_SECONDS
    for name, (check, asks_database) in CHECKS.items():
        if stopped and name in SERVERS:
            skipped = Outcome(name, "skipped", "not checked: another server does not run")
            summary.checks.append(stopped.get(name, skipped))
            continue
        if away and asks_database:
            summary.checks.append(Outcome(name, "skipped", "not checked: the database does not answer"))
            continue
        began = time.perf_counter()
        state: State = "ok"
        detail = remedy = command = ""
        try:
            bounded.within(min(CHECK_SECONDS, until - time.monotonic()), name, partial(check, summary))
        except TimeoutError:
            state, detail, remedy = "failed", "it did not answer in time", PAGE
        except Finding as finding:
            state, detail = finding.state, finding.detail
            remedy, command = finding.remedy, finding.command
        except AppError as error:
            state, detail = "failed", error.detail
            remedy, command = _remedy_of(error), error.command
        if state == "failed" and name in exclude:
            state = "warning"
        away = away or (name == "postgresql" and state != "ok")
        if state != "ok":
            log.warning("not ready" if state == "failed" else "ready with a warning", check=name, reason=detail)
        summary.checks.append(
            Outcome(name, state, detail, remedy, round((time.perf_counter() - began) * 1000, 2), command)
        )
    return summary


def _remedy_of(error: AppError) -> str:
    """Return the error's remedy, or a reference to the how-to page if the remedy is the general one of its class."""
    return error.remedy if error.remedy != error.hint else PAGE


def check_postgresql(_: Report) -> None:
    """Check that the control database answers."""
    with platform_session() as session:
        session.execute(text("SELECT 1"))


def check_redis(_: Report) -> None:
    """Check that Redis or Valkey answers.

    Raises:
        Finding: it does not.
    """
    try:
        with Redis.from_url(
            ensure().redis_url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
        ) as client:
            client.ping()
    except (RedisError, OSError) as error:
        # The client's message may repeat the address, which has the password in it.
        message = f"Redis does not answer ({type(error).__name__})"
        raise Finding(message, "Check that it runs, and that REDIS_URL is right.") from None


def check_migrations(_: Report) -> None:
    """Check that the schemas that all tenants share are as new as this code, or newer.

    Newer is fine: a migration only adds what the next release needs, so that this release still works.
    """
    require_migrated(DEFAULT_DATABASE)


def check_master_key(_: Report) -> None:
    """Check that the master key is the installation's."""
    from core.installation import check_master_key as compare

    compare()


def check_blob_store(_: Report) -> None:
    """Check that the store of files is mounted, and is the installation's."""
    from core.blobs import verify_store

    verify_store()


def check_data_databases(summary: Report) -> None:
    """Check that every data database with tenants is known to this process, answers, and is migrated.

    Raises:
        Finding: one fails; a warning if only databases without tenants fail.
    """
    with platform_session() as session:
        used = set(session.scalars(_DATABASES_OF_TENANTS))
    faults: dict[str, AppError] = {}
    for name in databases():
        try:
            require_migrated(name)
            summary.answering.append(name)
        except AppError as error:
            if name != DEFAULT_DATABASE:  # the check of migrations reports that one
                faults[name] = error
    unknown = sorted(used - set(databases()))
    if unknown:
        message = f"tenants' data are in data databases that this process does not know: {', '.join(unknown)}"
        raise Finding(message, "Name them in IIT_DATA_DATABASES of every process, and restart this one.")
    if faults:
        message = "; ".join(f"{name}: {error.detail}" for name, error in sorted(faults.items()))
        first = faults[min(faults)]
        state: State = "failed" if used & set(faults) else "warning"
        raise Finding(message, _remedy_of(first), state, command=first.command)


def check_workers(summary: Report) -> None:
    """Check that a worker is alive for every data database that answers.

    Raises:
        Finding: a database has no live worker; a warning, because requests are answered without one.
    """
    from core.jobs import live_workers

    alive = {name: {worker.id for worker in live_workers(name)} for name in summary.answering}
    summary.workers = len(set().union(*alive.values()))
    idle = sorted(name for name, ids in alive.items() if not ids)
    if idle:
        message = f"no live worker serves the data database {', '.join(idle)}: imports, training and scoring wait"
        raise Finding(message, "Start a worker.", "warning", command="start `iit worker`, or `iit serve --worker`")


def check_queue(summary: Report) -> None:
    """Check that no job has been due for long.

    Raises:
        Finding: a job has been due for too long; a warning.
    """
    from core.jobs import queue_age

    kinds = [kind for name in summary.answering for kind in queue_age(name)]
    summary.waiting, summary.running = sum(kind.waiting for kind in kinds), sum(kind.running for kind in kinds)
    summary.oldest_seconds = round(max((kind.oldest_seconds for kind in kinds), default=0.0), 1)
    if summary.oldest_seconds > QUEUE_SLOW_SECONDS:
        message = f"a job has been due for {summary.oldest_seconds / 60:.0f} minutes; {summary.waiting} jobs wait"
        command = "see `iit jobs list`, and start more workers or threads"
        raise Finding(message, "Start more workers, or workers with more threads.", "warning", command=command)


def check_demo_accounts(_: Report) -> None:
    """Check that no account of the demo is left in production, where nobody signs in with one.

    Raises:
        Finding: some are left; a warning.
    """
    if get_settings().environment != "production":
        return
    with platform_session() as session:
        addresses = session.scalars(text("SELECT email FROM platform.people WHERE password_hash IS NOT NULL"))
        left = sum(is_reserved(address) for address in addresses)
    if left:
        message = f"{left} accounts with example addresses, such as the demo's, are left; nobody can sign in with them"
        command = "remove the people with `iit people remove`, and tenants of the demo with `iit tenant delete`"
        raise Finding(message, "Remove these people, or the tenants of the demo.", "warning", command=command)


def check_disk(summary: Report) -> None:
    """Check that the disks have room where this process and the embedded servers write.

    Raises:
        Finding: a disk is full; a warning if one is nearly full.
    """
    settings = get_settings()
    full, low = [], []
    for place, path in places().items():
        facts = os.statvfs(path)
        free = facts.f_frsize * facts.f_bavail
        summary.disk.append(Disk(place, free, facts.f_frsize * facts.f_blocks))
        if free < settings.disk_full_bytes or (facts.f_files and facts.f_favail < FEWEST_INODES):
            full.append(place)
        elif free < settings.disk_low_bytes:
            low.append(place)
    remedy = "Free some space there, or move it to a larger disk."
    if full:
        message = f"the disk is full: {', '.join(full)}"
        raise Finding(message, remedy)
    if low:
        message = f"the disk is nearly full: {', '.join(low)}"
        raise Finding(message, remedy, "warning")


def places() -> dict[str, Path]:
    """Return the folders of this machine that the platform writes to, by their purpose."""
    from core.blobs import local_folder

    settings = get_settings()
    known = remembered.read(settings.state_dir) if settings.database_url is None else None
    wanted = {
        "state": settings.state_dir,
        "database": known.data_home(settings.state_dir) if known else None,
        "files": local_folder(),
        "scratch": scratch.base(),
        "temporary": Path(tempfile.gettempdir()),
    }
    return {place: path for place, path in wanted.items() if path is not None and path.exists()}


CHECKS: dict[CheckName, tuple[Callable[[Report], None], bool]] = {
    "postgresql": (check_postgresql, False),
    "redis": (check_redis, False),
    "migrations": (check_migrations, True),
    "master_key": (check_master_key, True),
    "data_databases": (check_data_databases, True),
    "blob_store": (check_blob_store, True),
    "disk": (check_disk, False),
    "workers": (check_workers, True),
    "queue": (check_queue, True),
    "demo_accounts": (check_demo_accounts, True),
}
"""Name of a check -> its function, and whether it needs the control database."""

SERVERS: Final = ("postgresql", "redis")
