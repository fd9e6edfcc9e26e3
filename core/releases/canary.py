"""Canary: gives a new version more and more requests, compares it with the old one, and rolls back by itself.

Errors are what HAProxy saw of each server, so that a process that dies counts too. Times are from the metrics of both
processes. Whatever stops this program, other than a finished roll-out, gives all requests back to the old version.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from prometheus_client.parser import text_string_to_metric_families

from core.errors import Unavailable
from core.releases.asking import AskingError
from core.releases.comparison import Limits, Measures, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.releases.asking import Asker
    from core.releases.balancer import Balancer, ServerCounts
    from core.releases.smoke import Smoke

STEPS: Final = (5, 20, 50)
FEWEST: Final = 50
"""Requests that the new version must have answered before it gets more of them."""

PATIENCE: Final = 3.0
"""How many times its length a step may take until there are enough requests."""

BLIND_LOOKS: Final = 3
"""Looks in a row at which a version may not be measurable."""

_SECONDS: Final = "iit_http_request_seconds_bucket"
_PROBES: Final = "/health"


@dataclass(frozen=True, slots=True)
class Version:
    """A running version: its name in HAProxy's backend, and where it exposes its metrics."""

    server: str
    metrics: Asker


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a roll-out.

    Attributes:
        steps: shares of the requests, in per cent.
        step_seconds: seconds of each step.
        look_seconds: seconds between two looks at the measures.
        limits: of the new version.
        fewest: requests that the new version must have answered before it gets more.
    """

    steps: tuple[int, ...] = STEPS
    step_seconds: float = 300.0
    look_seconds: float = 5.0
    limits: Limits = field(default_factory=Limits)
    fewest: int = FEWEST

    @property
    def looks(self) -> int:
        """How often the versions are compared at most."""
        return max(1, int(len(self.steps) * PATIENCE * self.step_seconds / self.look_seconds))


@dataclass(slots=True)
class Outcome:
    """The end of a roll-out.

    Attributes:
        state: ``rejected`` before it got any request.
        reason: why it was not promoted.
        share: largest share of the requests that it got, in per cent.
    """

    state: Literal["promoted", "rolled back", "rejected"]
    reason: str = ""
    seconds: float = 0.0
    share: int = 0
    requests: int = 0
    failed: int = 0
    seconds95: float | None = None
    old_requests: int = 0
    old_failed: int = 0
    old_seconds95: float | None = None


class WorseError(Exception):
    """The new version is to be rolled back."""


class Canary:
    """One roll-out.

    Args:
        balancer: shifts the requests.
        old: the version that serves.
        new: the version that is to serve.
        plan: steps and limits.
        say: told of each step.
    """

    def __init__(
        self, balancer: Balancer, old: Version, new: Version, plan: Plan, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._balancer, self._old, self._new, self._plan, self._say = balancer, old, new, plan, say
        self._share = 0
        self._before: dict[str, Measures] = {}
        self._last: dict[str, Measures] = {}
        self._blind = 0

    def run(self, gate: Smoke, wait: float) -> Outcome:
        """Roll the new version out, or back.

        Args:
            gate: the smoke test of the new version; without passing it gets no request.
            wait: seconds to wait until it is ready.

        Raises:
            Unavailable: HAProxy cannot be asked. If it was to roll back, its weights are to be set by hand.
        """
        began = time.monotonic()
        gate.wait(wait)
        failed = [check for check in gate.run() if check.state == "failed"]
        if failed:
            reason = "; ".join(f"{check.name}: {check.detail}" for check in failed)
            return Outcome("rejected", f"the smoke test failed: {reason}", time.monotonic() - began)
        promoted = False
        reason = ""
        try:
            self._before = {version.server: self._measured(version) for version in (self._old, self._new)}
            for share in self._plan.steps:
                self._step(share)
            promoted = True
        except (WorseError, AskingError) as error:
            reason = str(error)
        finally:
            self._balancer.shift(self._old.server, self._new.server, 100 if promoted else 0)
        self._say("promoted: it gets all requests" if promoted else f"rolled back: {reason}")
        return self._outcome("promoted" if promoted else "rolled back", reason, time.monotonic() - began)

    def _step(self, share: int) -> None:
        """Serve a share of the requests until the step is over.

        Raises:
            WorseError: the new version is worse, or cannot be judged.
        """
        self._say(f"{share} % of the requests")
        self._balancer.shift(self._old.server, self._new.server, share)
        self._share = max(self._share, share)
        began = time.monotonic()
        while True:
            time.sleep(self._plan.look_seconds)
            seconds = time.monotonic() - began
            self._look()
            new = self._last.get(self._new.server)
            if seconds >= self._plan.step_seconds and new is not None and new.requests >= self._plan.fewest:
                return
            if seconds >= self._plan.step_seconds * PATIENCE:
                count = 0 if new is None else new.requests
                message = f"{count} requests in {seconds:.0f} s are too few to judge it"
                raise WorseError(message)

    def _look(self) -> None:
        served = self._balancer.served(self._new.server)
        if not served.up:
            message = "its health check fails"
            raise WorseError(message)
        try:
            for version in (self._old, self._new):
                now = self._measured(version)
                self._last[version.server] = _since(self._before[version.server], now)
            self._blind = 0
        except AskingError as error:
            self._blind += 1
            if self._blind >= BLIND_LOOKS:
                message = f"a version cannot be measured: {error}"
                raise WorseError(message) from None
            return
        problem = problem_of(
            self._last[self._old.server], self._last[self._new.server], self._plan.limits, self._plan.looks
        )
        if problem is not None:
            raise WorseError(problem)

    def _measured(self, version: Version) -> Measures:
        served: ServerCounts = self._balancer.served(version.server)
        reply = version.metrics.get_once("/metrics")
        if reply.status != 200:  # noqa: PLR2004 - a status of HTTP
            message = f"/metrics answers {reply.status}"
            raise AskingError(message, "check the address of the metrics")
        return Measures(served.requests, served.failed, within_of(reply.body.decode()))

    def _outcome(self, state: Literal["promoted", "rolled back"], reason: str, seconds: float) -> Outcome:
        outcome = Outcome(state, reason, seconds, self._share)
        try:
            for version in (self._old, self._new):
                served = self._balancer.served(version.server)
                before = self._before.get(version.server, Measures(served.requests, served.failed, {}))
                counted = served.requests - before.requests, served.failed - before.failed
                last = self._last.get(version.server)
                if version is self._new:
                    outcome.requests, outcome.failed = counted
                    outcome.seconds95 = None if last is None else last.seconds95
                else:
                    outcome.old_requests, outcome.old_failed = counted
                    outcome.old_seconds95 = None if last is None else last.seconds95
        except Unavailable as error:
            self._say(f"the last counts are missing: {error.detail}")
        return outcome


def within_of(text: str) -> dict[float, int]:
    """Return, from the text of a process's metrics, upper bound of seconds -> requests, without those of probes."""
    within: dict[float, int] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == _SECONDS and not sample.labels.get("route", "").startswith(_PROBES):
                bound = float(sample.labels["le"])
                within[bound] = within.get(bound, 0) + int(sample.value)
    return within


def _since(before: Measures, now: Measures) -> Measures:
    """Return the requests between two looks. A process that restarted meanwhile counts from nothing."""
    within = {bound: max(0, count - before.within.get(bound, 0)) for bound, count in now.within.items()}
    return Measures(now.requests - before.requests, now.failed - before.failed, within)
