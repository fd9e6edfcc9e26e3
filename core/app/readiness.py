"""Can this installation do its work: every check, and the figures that an operator asks for first.

``/readyz`` and ``iit status`` show the same report. It names no tenant, no path, no host and no address.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from core import scratch
from core.database import DEFAULT_DATABASE, databases, platform_session, require_migrated
from core.errors import AppError
from core.services import ensure
from core.services import state as remembered
from core.settings import get_settings
from core.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

REDIS_SECONDS: Final = 2.0
QUEUE_SLOW_SECONDS: Final = 900.0
"""A job that has been due for longer waits for a reason."""

FEWEST_INODES: Final = 1000
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
]
log = get_logger(__name__)


class Finding(Exception):  # noqa: N818 - a warning is no error
    """What a check has to say; the text is for everybody to read."""

    def __init__(self, detail: str, remedy: str, state: State = "failed") -> None:
        super().__init__(detail)
        self.detail, self.remedy, self.state = detail, remedy, state


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one check.

    Attributes:
        state: ``skipped`` where the database, which it asks, does not answer.
        detail: what is wrong; empty where nothing is.
        remedy: what to do about it.
    """

    name: str
    state: State
    detail: str = ""
    remedy: str = ""
    duration_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Disk:
    """The room on the disk of one place: ``state``, ``database``, ``files``, ``scratch`` or ``temporary``."""

    place: str
    free_bytes: int
    total_bytes: int


@dataclass(slots=True)
class Report:
    """What the checks found.

    Attributes:
        workers: live workers; None where that could not be asked.
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
        """Whether no check failed."""
        return not any(outcome.state == "failed" for outcome in self.checks)


def report(exclude: Collection[str] = (), stopped: Mapping[str, Outcome] | None = None) -> Report:
    """Run every check. Where the database does not answer, those that ask it are skipped.

    Args:
        exclude: checks that warn where they would fail.
        stopped: outcomes of servers that are known not to run; then no server is asked, or started by being asked.
    """
    found = Report()
    away = bool(stopped)
    for name, (check, asks_database) in CHECKS.items():
        if stopped and name in SERVERS:
            found.checks.append(stopped.get(name, Outcome(name, "skipped", "not checked: another server does not run")))
            continue
        if away and asks_database:
            found.checks.append(Outcome(name, "skipped", "not checked: the database does not answer"))
            continue
        began = time.perf_counter()
        state: State = "ok"
        detail = remedy = ""
        try:
            check(found)
        except Finding as finding:
            state, detail, remedy = finding.state, finding.detail, finding.remedy
        except AppError as error:
            state, detail, remedy = "failed", error.detail, error.at_terminal
        if state == "failed" and name in exclude:
            state = "warning"
        away = away or (name == "postgresql" and state != "ok")
        if state != "ok":
            log.warning("not ready" if state == "failed" else "ready with a warning", check=name, reason=detail)
        found.checks.append(Outcome(name, state, detail, remedy, round((time.perf_counter() - began) * 1000, 2)))
    return found


def check_postgresql(_: Report) -> None:
    """The control database answers."""
    with platform_session() as session:
        session.execute(text("SELECT 1"))


def check_redis(_: Report) -> None:
    """Redis or Valkey answers.

    Raises:
        Finding: it does not.
    """
    try:
        with Redis.from_url(
            ensure().redis_url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
        ) as client:
            client.ping()
    except (RedisError, OSError) as error:
        # The message of the client may repeat the address, and with it the password.
        message = f"Redis does not answer ({type(error).__name__})"
        raise Finding(message, "See that it runs, and that REDIS_URL is right.") from None


def check_migrations(_: Report) -> None:
    """The schemas that all tenants share are those of this code, or newer ones.

    Newer is fine: a migration only adds what the next release needs, so that this one goes on meanwhile.
    """
    require_migrated(DEFAULT_DATABASE)


def check_master_key(_: Report) -> None:
    """The master key is the installation's."""
    from core.installation import check_master_key as compare

    compare()


def check_blob_store(_: Report) -> None:
    """The store of files is the installation's, and is mounted."""
    from core.blobs import verify_store

    verify_store()


def check_data_databases(found: Report) -> None:
    """Every data database that has tenants is known to this process, answers, and is migrated.

    Raises:
        Finding: one is not; a warning where only databases without tenants are not.
    """
    with platform_session() as session:
        used = set(session.scalars(_DATABASES_OF_TENANTS))
    faults: dict[str, AppError] = {}
    for name in databases():
        try:
            require_migrated(name)
            found.answering.append(name)
        except AppError as error:
            if name != DEFAULT_DATABASE:  # that is what the check of migrations says
                faults[name] = error
    unknown = sorted(used - set(databases()))
    if unknown:
        message = f"tenants' data are in data databases that this process does not know: {', '.join(unknown)}"
        raise Finding(message, "Name them in IIT_DATA_DATABASES of every process, and restart this one.")
    if faults:
        message = "; ".join(f"{name}: {error.detail}" for name, error in sorted(faults.items()))
        raise Finding(message, faults[min(faults)].at_terminal, "failed" if used & set(faults) else "warning")


def check_workers(found: Report) -> None:
    """A worker is alive for every data database that answers.

    Raises:
        Finding: none is: a warning, since requests are answered all the same.
    """
    from core.jobs import live_workers

    alive = {name: {worker.id for worker in live_workers(name)} for name in found.answering}
    found.workers = len(set().union(*alive.values()))
    idle = sorted(name for name, ids in alive.items() if not ids)
    if idle:
        message = f"no live worker serves the data database {', '.join(idle)}: imports, training and scoring wait"
        raise Finding(message, "Start `iit worker`, or `iit serve --worker`.", "warning")


def check_queue(found: Report) -> None:
    """No job has been due for long.

    Raises:
        Finding: one has: a warning.
    """
    from core.jobs import queue_age

    kinds = [kind for name in found.answering for kind in queue_age(name)]
    found.waiting, found.running = sum(kind.waiting for kind in kinds), sum(kind.running for kind in kinds)
    found.oldest_seconds = round(max((kind.oldest_seconds for kind in kinds), default=0.0), 1)
    if found.oldest_seconds > QUEUE_SLOW_SECONDS:
        message = f"a job has been due for {found.oldest_seconds / 60:.0f} minutes; {found.waiting} jobs wait"
        raise Finding(message, "See `iit jobs list`, and start more workers or threads.", "warning")


def check_disk(found: Report) -> None:
    """There is room where this process and the embedded servers write.

    Raises:
        Finding: a disk is full; a warning where one is nearly so.
    """
    settings = get_settings()
    full, low = [], []
    for place, path in places().items():
        facts = os.statvfs(path)
        free = facts.f_frsize * facts.f_bavail
        found.disk.append(Disk(place, free, facts.f_frsize * facts.f_blocks))
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
    """The folders of this machine that the platform writes to, by what they are for."""
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
}
"""Name -> the check, and whether it asks the control database."""

SERVERS: Final = ("postgresql", "redis")
