"""What this process did in the last minute, out of its metrics."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from core.metrics.instruments import readings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from core.metrics.instruments import Reading

SECONDS: Final = 60.0
"""How far back the figures go."""
MOST_ROUTES: Final = 8
"""The busiest routes that a process names."""
NO_PROBES: Final = ("/health", "/assets")
"""Beginnings of routes that are no requests of people."""

_COUNTED: Final = frozenset(
    {"iit_http_requests", "iit_http_request_seconds", "iit_http_shed", "iit_jobs", "iit_errors"}
)
_ERROR: Final = "5"


class Window:
    """Remembers the counts of the last minute.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, dict[tuple[str, ...], float]]] = deque()

    def figures(self) -> dict[str, Any]:
        """Take a sample, and return what happened since the oldest one of the last minute.

        Returns:
            ``seconds`` between the two samples, counts of ``requests``, ``failed`` (5xx), ``shed``, ``errors`` and
            ``jobs`` by outcome, the ``buckets`` of the seconds of requests by their upper bound, and the busiest
            ``routes`` with count and seconds.
        """
        present = self._clock()
        sample = _sample()
        self._samples.append((present, sample))
        while present - self._samples[0][0] > SECONDS:
            self._samples.popleft()
        since, before = self._samples[0]
        grown = {key: value - before.get(key, 0.0) for key, value in sample.items()}
        return _figures(present - since, grown)


def _sample() -> dict[tuple[str, ...], float]:
    counts: dict[tuple[str, ...], float] = {}
    for reading in readings():
        if reading.name in _COUNTED:
            _add(counts, reading)
    return counts


def _add(counts: dict[tuple[str, ...], float], reading: Reading) -> None:
    for sample in reading.samples:
        counts[reading.name, *sample.labels] = sample.value
    for key, buckets, total in reading.buckets:
        if _is_probe(key[1]):
            continue
        for bound, count in buckets:
            place = ("bucket", bound)
            counts[place] = counts.get(place, 0.0) + count
        counts["route", *key] = buckets[-1][1]
        counts["seconds", *key] = total


def _is_probe(route: str) -> bool:
    return route.startswith(NO_PROBES)


def _figures(seconds: float, grown: Mapping[tuple[str, ...], float]) -> dict[str, Any]:
    requests = failed = 0.0
    jobs: dict[str, float] = {}
    totals = {"iit_http_shed": 0.0, "iit_errors": 0.0}
    for (name, *labels), count in grown.items():
        if name == "iit_http_requests" and not _is_probe(labels[1]):
            requests += count
            failed += count if labels[2].startswith(_ERROR) else 0.0
        elif name == "iit_jobs" and count:
            jobs[labels[1]] = jobs.get(labels[1], 0.0) + count
        elif name in totals:
            totals[name] += count
    routes = [
        [f"{method} {route}", count, round(grown["seconds", method, route], 4)]
        for (name, *labels), count in grown.items()
        if name == "route" and count
        for method, route in [labels]
    ]
    return {
        "seconds": round(seconds, 1),
        "requests": requests,
        "failed": failed,
        "shed": totals["iit_http_shed"],
        "errors": totals["iit_errors"],
        "jobs": jobs,
        "buckets": {bound: count for (name, *rest), count in grown.items() if name == "bucket" for bound in rest},
        "routes": sorted(routes, key=lambda each: -float(str(each[1])))[:MOST_ROUTES],
    }
