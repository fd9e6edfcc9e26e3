"""Counters and histograms of this process, and readings that are taken when Prometheus asks.

Their labels have few values, and never a personal one: ``LABELS`` names all that exist, and how many values each may
have in one metric. Further values count as ``other``, so that no caller can make the number of series grow.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

OTHER: Final = "other"

LABELS: Final = {
    "cache": 60,
    "check": 40,
    "currency": 20,
    "database": 32,
    "dependency": 40,
    "fallback": 40,
    "kind": 120,
    "method": 10,
    "outcome": 40,
    "plugin": 60,
    "route": 600,
    "state": 20,
    "status": 60,
    "tenant": 100,
}
"""Label -> most values that one metric gives it."""

SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0)
"""Upper bounds of the buckets of a histogram of seconds; a last bucket takes the rest."""

_NAME = re.compile(r"iit_[a-z][a-z0-9_]*")
_VALUE = re.compile(r"[A-Za-z0-9_./{}:-]{1,120}")

Key = tuple[str, ...]

when_kept: Callable[[Callable[[str], None]], None] | None = None
"""Calls a function with the id of the present trace, if that is exported. ``core.tracing`` sets it while it traces."""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A value that a histogram counted, and the trace in which it was measured.

    Attributes:
        at: when, in Unix seconds.
    """

    trace_id: str
    value: float
    at: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One value, with the values of its labels in the order of the metric's labels."""

    labels: Key
    value: float


@dataclass(frozen=True, slots=True)
class Reading:
    """A metric as it is now.

    Attributes:
        kind: ``counter``, ``gauge`` or ``histogram``.
        samples: the values of a counter or a gauge.
        buckets: for a histogram, the values of its labels, the cumulative count for each upper bound, and the sum.
        exemplars: for a histogram, one trace for some of the buckets, by the values of its labels and the place of the
            bucket.
    """

    name: str
    help: str
    kind: str
    labels: tuple[str, ...] = ()
    samples: Sequence[Sample] = ()
    buckets: Sequence[tuple[Key, tuple[tuple[str, float], ...], float]] = ()
    exemplars: Mapping[tuple[Key, int], Exemplar] = field(default_factory=dict)


class _Instrument(ABC):
    """What counters and histograms have in common: a name, labels, and a bound on the values of each label.

    Raises:
        ValueError: the name or a label is not one of a metric.
    """

    def __init__(self, name: str, about: str, labels: Sequence[str] = ()) -> None:
        if not _NAME.fullmatch(name):
            message = f"{name!r} is not the name of a metric: write iit_<thing>_<unit>"
            raise ValueError(message)
        unknown = sorted(set(labels) - LABELS.keys())
        if unknown:
            message = f"{name} has labels that LABELS does not bound: {', '.join(unknown)}"
            raise ValueError(message)
        self.name, self.help, self.labels = name, about, tuple(labels)
        self._known: tuple[set[str], ...] = tuple(set() for _ in labels)
        self._lock = Lock()
        register(self.reading)

    @abstractmethod
    def reading(self) -> Iterable[Reading]:
        """Return the metric as it is now."""

    def _key(self, values: Sequence[str]) -> Key:
        """Return the values of the labels, each one that is over its label's bound replaced. The caller has the lock.

        Raises:
            ValueError: there are more or fewer values than labels.
        """
        return tuple(
            value if value in known else self._admitted(label, value, known)
            for label, value, known in zip(self.labels, values, self._known, strict=True)
        )

    @staticmethod
    def _admitted(label: str, value: str, known: set[str]) -> str:
        if len(known) >= LABELS[label] - 1 or not _VALUE.fullmatch(value):
            return OTHER
        known.add(value)
        return value


class Counter(_Instrument):
    """Counts what happened. Its name ends with ``_total``."""

    def __init__(self, name: str, about: str, labels: Sequence[str] = ()) -> None:
        self._counts: dict[Key, float] = {}
        super().__init__(name, about, labels)

    def add(self, *values: str, amount: float = 1.0) -> None:
        """Add to the count with these values of the labels."""
        with self._lock:
            key = self._key(values)
            self._counts[key] = self._counts.get(key, 0.0) + amount

    def value(self, *values: str) -> float:
        """Return the count with these values of the labels."""
        with self._lock:
            return self._counts.get(tuple(values), 0.0)

    def reading(self) -> Iterable[Reading]:
        """Return the counts."""
        with self._lock:
            samples = [Sample(key, count) for key, count in sorted(self._counts.items())]
        yield Reading(self.name.removesuffix("_total"), self.help, "counter", self.labels, samples)


class Gauge(_Instrument):
    """A value that goes up and down, as this process last knew it."""

    def __init__(self, name: str, about: str, labels: Sequence[str] = ()) -> None:
        self._values: dict[Key, float] = {}
        super().__init__(name, about, labels)

    def set(self, value: float, *values: str) -> None:
        """Set the value with these values of the labels. Those over a label's bound have no value of their own."""
        with self._lock:
            key = self._key(values)
            if OTHER not in key:
                self._values[key] = value

    def replace(self, values: Mapping[str, float]) -> None:
        """Set the values of a gauge with one label, and forget those of other values of it."""
        with self._lock:
            keyed = ((self._key((label,)), value) for label, value in values.items())
            self._values = {key: value for key, value in keyed if OTHER not in key}

    def reading(self) -> Iterable[Reading]:
        """Return the values."""
        with self._lock:
            samples = [Sample(key, value) for key, value in sorted(self._values.items())]
        yield Reading(self.name, self.help, "gauge", self.labels, samples)


class Histogram(_Instrument):
    """Counts how long something took, in buckets."""

    def __init__(self, name: str, about: str, labels: Sequence[str] = (), *, bounds: Sequence[float] = SECONDS) -> None:
        self._bounds = tuple(bounds)
        self._counts: dict[Key, list[float]] = {}
        self._exemplars: dict[tuple[Key, int], Exemplar] = {}
        super().__init__(name, about, labels)

    def observe(self, value: float, *values: str) -> None:
        """Count one value, in seconds, with these values of the labels."""
        with self._lock:
            key = self._key(values)
            counts = self._counts.get(key)
            if counts is None:
                counts = self._counts[key] = [0.0] * (len(self._bounds) + 2)
            bucket = bisect_left(self._bounds, value)
            counts[bucket] += 1
            counts[-1] += value
        if when_kept is not None:
            when_kept(partial(self._mark, (key, bucket), value, time.time()))

    def _mark(self, place: tuple[Key, int], value: float, at: float, trace_id: str) -> None:
        with self._lock:
            self._exemplars[place] = Exemplar(trace_id, value, at)

    def reading(self) -> Iterable[Reading]:
        """Return the buckets."""
        names = (*map(str, self._bounds), "+Inf")
        with self._lock:
            rows = [(key, list(counts)) for key, counts in sorted(self._counts.items())]
            exemplars = dict(self._exemplars)
        buckets = []
        for key, counts in rows:
            total, cumulative = 0.0, []
            for name, count in zip(names, counts, strict=False):
                total += count
                cumulative.append((name, total))
            buckets.append((key, tuple(cumulative), counts[-1]))
        yield Reading(self.name, self.help, "histogram", self.labels, buckets=buckets, exemplars=exemplars)


_readers: list[Callable[[], Iterable[Reading]]] = []


def register(reader: Callable[[], Iterable[Reading]]) -> None:
    """Add a function that returns readings when Prometheus asks. It must be quick, and ask no other server."""
    _readers.append(reader)


def readings() -> list[Reading]:
    """Return all metrics of this process, as they are now."""
    return [reading for reader in list(_readers) for reading in reader()]
