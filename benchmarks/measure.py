"""Measuring two ways of doing one thing in turns, so that a busy machine slows both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

Way = Callable[[], object]

_ROUNDS = 30


@dataclass(frozen=True, slots=True)
class Ratio:
    """One comparison.

    Attributes:
        name: what was measured.
        ours, bare: medians for one call of each way, in ``unit``.
        unit: ``s``, or ``MB`` for memory.
        target: the ratio that it should not be above, where one was set.
    """

    name: str
    ours: float
    bare: float
    unit: str = "s"
    target: float | None = None

    @property
    def times(self) -> float:
        """The ratio of our time to the other time."""
        return self.ours / self.bare


def compare(name: str, ours: Way, bare: Way, *, calls: int, rounds: int = _ROUNDS) -> Ratio:
    """Time ``ours`` and ``bare`` in turns, ``calls`` of each per round, and keep the medians of the rounds."""
    ours()
    bare()
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(rounds):
        for kind, way in (("ours", ours), ("bare", bare)):
            began = time.perf_counter()
            for _ in range(calls):
                way()
            seconds[kind].append((time.perf_counter() - began) / calls)
    return Ratio(name, statistics.median(seconds["ours"]), statistics.median(seconds["bare"]))


def settled() -> None:
    """Let the server do its deferred work now: vacuum new rows, and write them to the disk."""
    from core.services import ensure
    from core.services.bootstrap import DATABASE
    from core.services.manager import superuser_url
    from core.services.state import State, read
    from core.settings import get_settings

    ensure()
    known = read(get_settings().state_dir) or State()
    with psycopg.connect(superuser_url(known, DATABASE), autocommit=True) as link:
        link.execute("VACUUM (ANALYZE, SKIP_LOCKED)")
        link.execute("CHECKPOINT")


def own_peak_mb() -> float:
    """The most memory that this process has had, MB (VmHWM, Linux).

    Not ``ru_maxrss``: a child begins with what its parent had when it was forked, and keeps that as its maximum.
    """
    return memory_of("self", "VmHWM") / 2**20


def memory_of(pid: int | str, what: str) -> int:
    """Return the bytes of a process, of a kind that ``/proc/PID/status`` has: VmHWM, RssAnon ... (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == what:
            return int(value.split()[0]) * 1024
    message = f"this system does not report {what} of a process"
    raise RuntimeError(message)
