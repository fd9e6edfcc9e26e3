"""The state of every instance of a dependency that this process has called: breaker, calls under way, retries."""

from __future__ import annotations

import time
from collections import Counter as Count
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final

from core.metrics import Counter, Histogram, Reading, Sample, register
from core.resilience.breaker import Breaker, BreakerState
from core.resilience.errors import BulkheadFull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from core.resilience.breaker import Forced
    from core.resilience.dependency import Dependency

MOST_INSTANCES: Final = 256
"""Instances of one dependency whose state is kept. One more drops the one that was called least recently."""

RETRY_RESERVE: Final = 5.0
"""Retries that are free, before their share of the calls counts."""

CALLS: Final = Counter("iit_dependency_calls_total", "Calls to dependencies by outcome.", ("dependency", "outcome"))
SECONDS: Final = Histogram("iit_dependency_seconds", "Seconds that calls to dependencies took.", ("dependency",))


@dataclass(slots=True)
class Instance:
    """One server that this process calls.

    Attributes:
        last_error: the kind of the last failure, without its text.
        last_error_at: when it was, in Unix seconds.
        latency_ms: moving average of the calls.
    """

    dependency: Dependency
    name: str
    breaker: Breaker
    under_way: int = 0
    calls: int = 0
    failures: int = 0
    rejected: int = 0
    last_error: str = ""
    last_error_at: float | None = None
    latency_ms: float = 0.0
    _tenants: Count[str] = field(default_factory=Count)
    _budget: float = RETRY_RESERVE
    _lock: Lock = field(default_factory=Lock)

    def enter(self, tenant: str | None) -> None:
        """Count one more call that is under way; ``leave`` ends the count.

        Raises:
            BulkheadFull: as many are under way as may be, in all or of the tenant.
        """
        with self._lock:
            full = self.under_way >= self.dependency.at_once
            if full or (tenant is not None and self._tenants[tenant] >= self.dependency.at_once_per_tenant):
                self.rejected += 1
                detail = f"{self.dependency.name} answers slowly, and too many calls wait for it"
                raise BulkheadFull(detail, retry_after=1)
            self.under_way += 1
            if tenant is not None:
                self._tenants[tenant] += 1
            self._budget = min(RETRY_RESERVE * 2, self._budget + self.dependency.retry_share)

    def leave(self, tenant: str | None) -> None:
        """Count one call fewer."""
        with self._lock:
            self.under_way -= 1
            if tenant is not None:
                self._tenants[tenant] -= 1
                if not self._tenants[tenant]:
                    del self._tenants[tenant]

    def note(self, error: str | None, seconds: float) -> None:
        """Note how a call ended."""
        with self._lock:
            self.calls += 1
            self.latency_ms += (seconds * 1000 - self.latency_ms) * (1.0 if self.calls == 1 else 0.2)
            if error is not None:
                self.failures += 1
                self.last_error, self.last_error_at = error, time.time()

    def may_retry(self) -> bool:
        """Take one retry from the budget; return False if it is used up."""
        with self._lock:
            if self._budget < 1.0:
                return False
            self._budget -= 1.0
            return True


clock: Callable[[], float] = time.monotonic
"""Monotonic seconds of new breakers. Tests put their own here."""

_instances: dict[str, OrderedDict[str, Instance]] = {}
_forced: dict[str, Forced] = {}
_lock = Lock()


def target_of(dependency: str, instance: str = "") -> str:
    """Return the name by which an operator forces a dependency, or one of its instances."""
    return f"{dependency}/{instance}" if instance else dependency


def instance_of(dependency: Dependency, name: str = "") -> Instance:
    """Return the instance of a dependency; a new one if this process has not called it yet."""
    with _lock:
        of_dependency = _instances.setdefault(dependency.name, OrderedDict())
        instance = of_dependency.get(name)
        if instance is None:
            instance = Instance(dependency, name, Breaker(dependency.name, dependency.breaker, clock))
            instance.breaker.force(_forced_state(dependency.name, name))
            of_dependency[name] = instance
            if len(of_dependency) > MOST_INSTANCES:
                of_dependency.popitem(last=False)
        else:
            of_dependency.move_to_end(name)
        return instance


def instances() -> list[Instance]:
    """Return all instances, by dependency."""
    with _lock:
        return [instance for name in sorted(_instances) for instance in _instances[name].values()]


def force(states: Mapping[str, Forced]) -> None:
    """Hold the breakers of these targets open or closed, and let the calls decide about all others."""
    with _lock:
        _forced.clear()
        _forced.update(states)
        for dependency, of_dependency in _instances.items():
            for name, instance in of_dependency.items():
                instance.breaker.force(_forced_state(dependency, name))


def forget() -> None:
    """Drop the state of all instances and all that was forced. Tests call it between two of them."""
    with _lock:
        _instances.clear()
        _forced.clear()


def _forced_state(dependency: str, name: str) -> Forced | None:
    return _forced.get(target_of(dependency, name), _forced.get(dependency))


def _read() -> Iterator[Reading]:
    states: Count[tuple[str, BreakerState]] = Count()
    under_way: Count[str] = Count()
    for instance in instances():
        states[instance.dependency.name, instance.breaker.state] += 1
        under_way[instance.dependency.name] += instance.under_way
    yield Reading(
        "iit_breakers",
        "Breakers of dependencies by state.",
        "gauge",
        ("dependency", "state"),
        [Sample(key, count) for key, count in sorted(states.items())],
    )
    yield Reading(
        "iit_dependency_calls_under_way",
        "Calls to dependencies that are under way.",
        "gauge",
        ("dependency",),
        [Sample((name,), count) for name, count in sorted(under_way.items())],
    )


register(_read)
