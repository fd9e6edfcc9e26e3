"""What one dependency is, and how calls to it are bounded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When the breaker of a dependency opens, and when it tries again.

    Attributes:
        failure_rate: share of failed calls in the window at which it opens.
        calls: fewest calls in the window before a rate counts.
        window_seconds: the window.
        slow_seconds: a call that takes longer is slow; None if slowness does not matter.
        slow_rate: share of slow calls in the window at which it opens.
        open_seconds: how long it stays open before it lets a probe through. Each failed round of probes doubles that.
        longest_open_seconds: longest time between two rounds of probes.
        probes: calls that must succeed before it closes, one at a time.
    """

    failure_rate: float = 0.5
    calls: int = 5
    window_seconds: int = 30
    slow_seconds: float | None = None
    slow_rate: float = 0.8
    open_seconds: float = 5.0
    longest_open_seconds: float = 60.0
    probes: int = 1


@dataclass(frozen=True, slots=True)
class Dependency:
    """Another server, or a group of servers with one purpose, that this process calls.

    Attributes:
        name: unique, such as ``mail_server``.
        about: what it is for, and what happens without it; operators read this.
        timeout: seconds that one call may take.
        at_once: calls to one instance that this process has under way at once.
        at_once_per_tenant: the same, of one tenant; so one tenant's slow calls leave room for the others.
        breaker: when calls stop.
        retries: further attempts after a failure. Only for calls that may be repeated; decorators use it, blocks do
            not.
        backoff: seconds before the first further attempt, doubled with each; jitter takes up to half of it away.
        retry_share: attempts that retries may add, as a share of all calls: retries never double the load.
        by_instance: whether each server of the group has its own breaker and its own ``at_once``, named by the call.

    Raises:
        ValueError: a bound makes no sense.
    """

    name: str
    about: str
    timeout: float
    at_once: int = 16
    at_once_per_tenant: int = 8
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    retries: int = 0
    backoff: float = 0.1
    retry_share: float = 0.1
    by_instance: bool = False

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            message = f"{self.name!r} is not the name of a dependency: use lower-case letters, digits and _"
            raise ValueError(message)
        if self.timeout <= 0 or not 1 <= self.at_once_per_tenant <= self.at_once or self.retries < 0:
            message = f"the bounds of {self.name} need a timeout, and a tenant's share of 1 to at_once"
            raise ValueError(message)
