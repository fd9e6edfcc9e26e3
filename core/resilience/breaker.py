"""The breaker of one instance of a dependency: the only module that knows ``interlock``.

Closed: calls pass, and a window counts failures and slow calls. Open: no call passes. Half open: one probe at a time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from interlock import CircuitBreaker, CircuitOpenError, Config, State, WindowType

from core.resilience.errors import BreakerOpen

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.resilience.dependency import BreakerPolicy

BreakerState = Literal["closed", "open", "half_open", "forced_open", "forced_closed"]
Forced = Literal["open", "closed"]
Verdict = Literal["success", "failure", "unknown"]

_NEVER = 1e9
_STATES: dict[State, BreakerState] = {
    State.CLOSED: "closed",
    State.OPEN: "open",
    State.HALF_OPEN: "half_open",
    State.FORCED_OPEN: "forced_open",
    State.METRICS_ONLY: "forced_closed",
}


class _Clock:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.monotonic = clock


class _FailureError(Exception):
    """Stands for whatever the call raised: the breaker remembers the last failure, whose text may be personal."""


class Breaker:
    """A circuit breaker.

    Args:
        name: of the dependency, for errors.
        policy: when it opens.
        clock: monotonic seconds.
    """

    def __init__(self, name: str, policy: BreakerPolicy, clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._policy = name, policy
        self._forced: Forced | None = None
        config = Config(
            failure_rate_threshold=policy.failure_rate,
            minimum_number_of_calls=policy.calls,
            slow_call_duration_threshold=policy.slow_seconds or _NEVER,
            slow_call_rate_threshold=policy.slow_rate,
            permitted_calls_in_half_open=policy.probes,
            wait_duration_in_open=policy.open_seconds,
            wait_duration_backoff_multiplier=2.0,
            wait_duration_in_open_max=max(policy.open_seconds, policy.longest_open_seconds),
            window_type=WindowType.TIME_BASED,
            window_size=policy.window_seconds,
        )
        self._breaker = CircuitBreaker(name=name, config=config, clock=_Clock(clock))

    @property
    def state(self) -> BreakerState:
        """The state now. An open breaker whose time is over is open until the next call probes."""
        return _STATES[self._breaker.state]

    def enter(self) -> None:
        """Begin a call; ``leave`` ends it, in the same thread or task.

        Raises:
            BreakerOpen: no call passes now.
        """
        try:
            self._breaker.__enter__()
        except CircuitOpenError as error:
            wait = self._policy.open_seconds if error.retry_after is None else error.retry_after
            detail = f"calls to {self._name} are stopped, because it failed too often"
            if self._forced == "open":
                detail = f"the operator stopped the calls to {self._name}"
            raise BreakerOpen(detail, retry_after=max(1, round(wait))) from None

    def leave(self, verdict: Verdict) -> None:
        """End a call. An ``unknown`` verdict, such as that of a cancelled call, counts as neither."""
        if verdict == "success":
            self._breaker.__exit__(None, None, None)
            return
        error: BaseException = _FailureError() if verdict == "failure" else GeneratorExit()
        self._breaker.__exit__(type(error), error, None)

    def force(self, state: Forced | None) -> None:
        """Hold the breaker open or closed until the next call of this method; None lets the calls decide again."""
        if state == self._forced:
            return
        self._forced = state
        if state is None:
            self._breaker.reset()
        elif state == "open":
            self._breaker.force_open()
        else:
            self._breaker.metrics_only()
