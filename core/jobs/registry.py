"""The kinds of jobs that the features register."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from core.feature_registry import load_jobs
from core.jobs.bounds import JobBounds, Priority, Retry

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.database import TenantSession
    from core.jobs.context import JobContext, PlatformJobContext
    from core.jobs.job_end import JobEnd

Run = Callable[["JobContext", dict[str, Any]], None]
PlatformRun = Callable[["PlatformJobContext", dict[str, Any]], None]
OnEnd = Callable[["TenantSession", "JobEnd"], None]
PlatformOnEnd = Callable[["Session", "JobEnd"], None]
Check = Callable[[dict[str, Any]], None]
_CheckFunction = TypeVar("_CheckFunction", bound=Check)
_Function = TypeVar("_Function", bound=Callable[..., None])

KIND = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+")
SHORTEST_LEASE = timedelta(seconds=1)
DEFAULT_RETRY = Retry()
KEEP_RESULT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class JobKind(JobBounds):
    """A kind of job: its bounds and its functions.

    Attributes:
        run: runs one job.
        on_end: updates the room's rows when the job is given up, discarded or retried. It runs in the transaction that
            changes the job's row, in a session of its tenant or, without a tenant, of the application. None if a job
            leaves nothing unfinished.
    """

    run: Callable[..., None]
    on_end: Callable[..., None] | None


_kinds: dict[str, JobKind] = {}
_checks: dict[str, Check] = {}


def job(  # noqa: PLR0913 - one argument per bound
    kind: str,
    *,
    retry: Retry = DEFAULT_RETRY,
    lease: timedelta = timedelta(minutes=2),
    time_limit: timedelta = timedelta(hours=6),
    priority: Priority = "normal",
    at_once: int | None = None,
    keep_result: timedelta = KEEP_RESULT,
    cancellable: bool = True,
    on_end: OnEnd | None = None,
) -> Callable[[Run], Run]:
    """Register the decorated function to run jobs of ``kind``, such as ``imports.run``, each for one tenant.

    If the room's rows say that a job works on them, pass ``on_end``. Without it they still say so after the job has
    died. ``JobBounds`` describes the other arguments.

    Raises:
        ValueError: the name is not ``room.kind``, belongs to another function, or a bound makes no sense.
    """
    bounds = JobBounds(kind, retry, lease, time_limit, priority, at_once, keep_result, cancellable, platform=False)
    return _registering(bounds, on_end)


def platform_job(  # noqa: PLR0913 - one argument per bound
    kind: str,
    *,
    retry: Retry = DEFAULT_RETRY,
    lease: timedelta = timedelta(minutes=2),
    time_limit: timedelta = timedelta(hours=6),
    priority: Priority = "normal",
    at_once: int | None = None,
    keep_result: timedelta = KEEP_RESULT,
    cancellable: bool = True,
    on_end: PlatformOnEnd | None = None,
) -> Callable[[PlatformRun], PlatformRun]:
    """Register the decorated function for jobs of the platform, such as roll-ups and alerts of operators.

    No tenant can enqueue such a job. The arguments are those of ``job``.

    Raises:
        ValueError: as ``job``.
    """
    bounds = JobBounds(kind, retry, lease, time_limit, priority, at_once, keep_result, cancellable, platform=True)
    return _registering(bounds, on_end)


def _registering(bounds: JobBounds, on_end: Callable[..., None] | None) -> Callable[[_Function], _Function]:
    kind = bounds.name
    if not KIND.fullmatch(kind):
        message = f"{kind!r} is not a kind of job: write room.kind"
        raise ValueError(message)
    if bounds.lease < SHORTEST_LEASE or bounds.time_limit < bounds.lease:
        message = f"the bounds of {kind!r} need a lease of at least a second, and a time limit not below the lease"
        raise ValueError(message)
    if (bounds.at_once is not None and bounds.at_once < 1) or bounds.keep_result <= timedelta(0):
        message = f"the bounds of {kind!r} need room for at least one job, and time to read its result"
        raise ValueError(message)

    def register(run: _Function) -> _Function:
        known = _kinds.get(kind)
        if known is not None and (known.run.__module__, known.run.__qualname__) != (run.__module__, run.__qualname__):
            message = f"the kind of job {kind!r} is registered twice: {known.run.__module__} and {run.__module__}"
            raise ValueError(message)
        _kinds[kind] = JobKind(**{name: getattr(bounds, name) for name in JobBounds.__slots__}, run=run, on_end=on_end)
        return run

    return register


def kind_of(name: str) -> JobKind:
    """Return the kind of this name, of any installed feature.

    Raises:
        LookupError: no feature registers the kind.
    """
    if name not in _kinds:
        load_jobs()
    kind = _kinds.get(name)
    if kind is None:
        message = f"no feature registers the kind of job {name!r}"
        raise LookupError(message)
    return kind


def kinds() -> dict[str, JobKind]:
    """Return the kinds of the installed features, by name."""
    load_jobs()
    return dict(sorted(_kinds.items()))


def lengths_of_leases() -> tuple[str, str]:
    """Return the names of the kinds that this process knows now, and the lengths of their leases, as arrays of SQL."""
    return _lengths_of_leases(len(_kinds))


@lru_cache(maxsize=1)
def _lengths_of_leases(_number: int) -> tuple[str, str]:
    known = list(_kinds.values())
    lengths = [f"{kind.lease.total_seconds()} s" for kind in known]
    return as_array(kind.name for kind in known), as_array(lengths)


def as_array(names: Iterable[str]) -> str:
    """Return names of kinds or roles as an array of SQL. It is quicker than the driver's for frequent statements."""
    return "{" + ",".join(f'"{name}"' for name in names) + "}"


def payload_check(kind: str) -> Callable[[_CheckFunction], _CheckFunction]:
    """Register the decorated function to check payloads of ``kind`` that an operator edited.

    It raises ``core.errors.Invalid`` if no job can work on the payload. A kind without a check accepts every object.
    """

    def register(check: _CheckFunction) -> _CheckFunction:
        _checks[kind] = check
        return check

    return register


def check_of(kind: str) -> Check | None:
    """Return the function that checks edited payloads of a kind; None if there is none."""
    load_jobs()
    return _checks.get(kind)
