"""The kinds of jobs that the features register."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core.features import load_jobs
from core.jobs.bounds import JobBounds

if TYPE_CHECKING:
    from core.jobs.context import JobContext

Run = Callable[["JobContext", dict[str, Any]], None]

KIND = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+")
SHORTEST_LEASE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class JobKind(JobBounds):
    """A kind of job: its bounds, and the function that runs one."""

    run: Run


_kinds: dict[str, JobKind] = {}


def job(
    kind: str,
    *,
    max_attempts: int = 3,
    lease: timedelta = timedelta(minutes=2),
    backoff: timedelta = timedelta(seconds=10),
    time_limit: timedelta = timedelta(hours=6),
) -> Callable[[Run], Run]:
    """Register the decorated function to run jobs of ``kind``, such as ``imports.run``.

    Raises:
        ValueError: the name is not ``room.kind``, is taken by another function, or a bound makes no sense.
    """
    if not KIND.fullmatch(kind):
        message = f"{kind!r} is no kind of job: write room.kind"
        raise ValueError(message)
    if max_attempts < 1 or lease < SHORTEST_LEASE or time_limit < lease or backoff < timedelta(0):
        message = (
            f"the bounds of {kind!r} make no sense: at least one attempt, a lease of a second, a limit not below it"
        )
        raise ValueError(message)

    def register(run: Run) -> Run:
        known = _kinds.get(kind)
        if known is not None and (known.run.__module__, known.run.__qualname__) != (run.__module__, run.__qualname__):
            message = f"the kind of job {kind!r} is registered twice: {known.run.__module__} and {run.__module__}"
            raise ValueError(message)
        _kinds[kind] = JobKind(kind, max_attempts, lease, backoff, time_limit, run)
        return run

    return register


def kind_of(name: str) -> JobKind:
    """The kind of this name, of any installed feature.

    Raises:
        LookupError: no feature registers it.
    """
    if name not in _kinds:
        load_jobs()
    found = _kinds.get(name)
    if found is None:
        message = f"no feature registers the kind of job {name!r}"
        raise LookupError(message)
    return found
