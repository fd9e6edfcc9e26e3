"""The guard around a call: deadline, bulkhead and breaker before it; verdict, latency and metrics after it."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast

from core import telemetry, tracing
from core.resilience.deadlines import deadline, seconds_left
from core.resilience.errors import NOT_CALLED, BreakerOpen, BulkheadFull, DeadlinePassed
from core.resilience.instances import CALLS, SECONDS, Instance, instance_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from core.resilience.breaker import Verdict
    from core.resilience.dependency import Dependency

P = ParamSpec("P")
R = TypeVar("R")


class Call:
    """A call that is under way.

    Attributes:
        timeout: seconds that it may take: the dependency's own, or what is left of the deadline.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.failure: str | None = None

    def failed(self, kind: str) -> None:
        """Count the call as failed although it raises nothing, such as an answer 502."""
        self.failure = kind


class Guard:
    """The guard of calls to one instance; use ``guarded`` to make it.

    ``with guard as call`` and ``async with guard as call`` guard a block. As a decorator, the guard also repeats failed
    calls as the dependency says. Each block needs a guard of its own; a decorated function may run any number of times.
    """

    def __init__(
        self, dependency: Dependency, instance: str, tenant: str | None, harmless: tuple[type[BaseException], ...]
    ) -> None:
        self._dependency, self._name, self._tenant, self._harmless = dependency, instance, tenant, harmless
        self._block: AbstractContextManager[Call] | None = None

    def __enter__(self) -> Call:
        self._block = self._guarded()
        return self._block.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        block, self._block = self._block, None
        return None if block is None else block.__exit__(kind, error, traceback)

    async def __aenter__(self) -> Call:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return the function with the guard around each of its calls."""
        if iscoroutinefunction(function):

            @wraps(function)
            async def call_async(*args: P.args, **options: P.kwargs) -> Any:  # noqa: ANN401 - the function's own
                for attempt in range(self._dependency.retries + 1):
                    try:
                        with self._fresh():
                            return await function(*args, **options)
                    except Exception as error:  # noqa: BLE001 - raised again if there is no further attempt
                        await asyncio.sleep(self._pause_before_retry(attempt, error))
                raise AssertionError  # the last attempt returns or raises

            return cast("Callable[P, R]", call_async)

        @wraps(function)
        def call(*args: P.args, **options: P.kwargs) -> R:
            for attempt in range(self._dependency.retries + 1):
                try:
                    with self._fresh():
                        return function(*args, **options)
                except Exception as error:  # noqa: BLE001 - as above
                    time.sleep(self._pause_before_retry(attempt, error))
            raise AssertionError  # the last attempt returns or raises

        return call

    def _fresh(self) -> Self:
        return type(self)(self._dependency, self._name, self._tenant, self._harmless)

    def _pause_before_retry(self, attempt: int, error: Exception) -> float:
        """Return the seconds before the next attempt; raise the error if there is none."""
        longest: float = self._dependency.backoff * 2**attempt
        pause = longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        last = attempt >= self._dependency.retries or isinstance(error, (*NOT_CALLED, *self._harmless))
        if last or seconds_left(pause + 1.0) <= pause or not self._instance().may_retry():
            raise error
        CALLS.add(self._dependency.name, "retried")
        return pause

    def _instance(self) -> Instance:
        return instance_of(self._dependency, self._name)

    @contextmanager
    def _guarded(self) -> Iterator[Call]:
        dependency, instance = self._dependency, self._instance()
        timeout = seconds_left(dependency.timeout)
        if not timeout:
            CALLS.add(dependency.name, "no_time_left")
            detail = f"there is no time left to call {dependency.name}"
            raise DeadlinePassed(detail)
        self._admit(instance)
        call, began = Call(timeout), time.perf_counter()
        verdict: Verdict = "unknown"
        span = tracing.span(
            f"call {dependency.name}", "client", harmless=self._harmless, iit_dependency=dependency.name
        )
        try:
            with span, deadline(timeout):
                yield call
                if call.failure is not None:
                    span.fail(call.failure)
            verdict = "success" if call.failure is None else "failure"
        except self._harmless:
            verdict = "unknown" if call.failure is None else "failure"
            raise
        except Exception as error:
            verdict = "failure"
            call.failure = type(error).__name__
            raise
        finally:
            instance.breaker.leave(verdict)
            instance.leave(self._tenant)
            seconds = time.perf_counter() - began
            instance.note(call.failure, seconds)
            CALLS.add(dependency.name, verdict)
            SECONDS.observe(seconds, dependency.name)

    def _admit(self, instance: Instance) -> None:
        try:
            instance.enter(self._tenant)
        except BulkheadFull:
            CALLS.add(self._dependency.name, "bulkhead_full")
            raise
        try:
            instance.breaker.enter()
        except BreakerOpen:
            instance.leave(self._tenant)
            instance.rejected += 1
            CALLS.add(self._dependency.name, "breaker_open")
            raise


def guarded(
    dependency: Dependency,
    *,
    instance: str = "",
    tenant: object | None = None,
    harmless: tuple[type[BaseException], ...] = (),
) -> Guard:
    """Return the guard of a call, for ``with``, ``async with``, or as a decorator.

    Args:
        dependency: what is called.
        instance: which server of the group, such as its host, if the dependency is ``by_instance``.
        tenant: whose call it is, by anything that names it; when None, the tenant of the present request or job.
        harmless: errors that say nothing about the dependency, such as a rejected address.

    Raises:
        BreakerOpen: when it is entered: the dependency failed too often.
        BulkheadFull: when it is entered: too many calls are under way.
        DeadlinePassed: when it is entered: the request or job has no time left.
    """
    whose = telemetry.context().get("tenant") if tenant is None else str(tenant)
    return Guard(dependency, instance if dependency.by_instance else "", whose, harmless)
