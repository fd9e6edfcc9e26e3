"""The answers of the health checks, cached for a moment and made once for all who ask at the same time."""

from __future__ import annotations

import time
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from core.app import readiness
from core.app.components import Component, components

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

CACHED_SECONDS: Final = 1.0
"""Seconds for which an answer is repeated: many probes cost as much as one."""

_Answer = TypeVar("_Answer")


class Cache(Generic[_Answer]):
    """The last answer of a function; callers that come while it runs get the same one."""

    def __init__(self, function: Callable[[], _Answer]) -> None:
        self._function = function
        self._lock = Lock()
        self._last: tuple[float, _Answer] | None = None

    def get(self) -> _Answer:
        """Return the answer, at most ``CACHED_SECONDS`` old."""
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] >= CACHED_SECONDS:
                answer = self._function()
                self._last = (time.monotonic(), answer)
            return self._last[1]

    def forget(self) -> None:
        """Forget the answer."""
        with self._lock:
            self._last = None


_report: Final = Cache(readiness.report)
_components: Final = Cache(lambda: components(_report.get()))


def report(exclude: Collection[str] = ()) -> readiness.Report:
    """Return the report of readiness.

    Args:
        exclude: checks that only warn instead of failing.
    """
    whole = _report.get()
    checks = [
        replace(outcome, state="warning") if outcome.state == "failed" and outcome.name in exclude else outcome
        for outcome in whole.checks
    ]
    return replace(whole, checks=checks)


def all_components() -> list[Component]:
    """Return the state of everything that this process depends on."""
    return _components.get()


def forget() -> None:
    """Forget the answers; tests call it when they change something."""
    _report.forget()
    _components.forget()
