"""What every log line of a request, job or command carries: request id, tenant, actor.

The context is one mutable mapping per unit of work. Code in the threads that the unit uses sees and fills the same
mapping, which copies of context variables alone would not give.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_bound: ContextVar[dict[str, str] | None] = ContextVar("iit_log_context", default=None)


@contextmanager
def bound(**values: str) -> Iterator[dict[str, str]]:
    """A new context for one unit of work; what is bound inside ends with it."""
    context = dict(values)
    token = _bound.set(context)
    try:
        yield context
    finally:
        _bound.reset(token)


def bind(**values: str) -> None:
    """Add to the context of the present unit of work; outside of one, nothing is kept."""
    context = _bound.get()
    if context is not None:
        context.update(values)


def context() -> dict[str, str]:
    """A copy of what is bound."""
    return dict(_bound.get() or {})


def unit() -> object | None:
    """What stands for the present unit of work in all its threads, compared by identity; None outside of one."""
    return _bound.get()


def request_id() -> str:
    """The id of the present request, empty outside of one."""
    return (_bound.get() or {}).get("request_id", "")
