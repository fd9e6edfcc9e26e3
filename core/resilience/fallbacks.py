"""Fallbacks: answers that are good enough without a dependency, and that say so.

The API's answer and the page name them in the header ``X-Fallback``, and a metric counts them.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from core.metrics import Counter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.resilience.dependency import Dependency

FALLBACKS: Final = Counter(
    "iit_fallbacks_total", "Answers that were given without a dependency.", ("dependency", "fallback")
)
_used: ContextVar[set[str] | None] = ContextVar("iit_fallbacks", default=None)


def fallback(dependency: Dependency, name: str) -> None:
    """Note that the caller goes on without the dependency.

    Args:
        dependency: what did not answer.
        name: what the caller does instead, such as ``requests-not-limited``.
    """
    FALLBACKS.add(dependency.name, name)
    used = _used.get()
    if used is not None:
        used.add(name)


@contextmanager
def collecting_fallbacks() -> Iterator[set[str]]:
    """Collect the fallbacks of the block, also those in threads that it starts."""
    used: set[str] = set()
    token = _used.set(used)
    try:
        yield used
    finally:
        _used.reset(token)
