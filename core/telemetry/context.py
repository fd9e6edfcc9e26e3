"""The context of log lines in a request, job or command: request id, tenant, actor.

It is one mutable mapping per unit of work. All threads of the unit share it, which copies of context variables alone
would not achieve.
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
    """Open a new context for one unit of work; it ends with the block."""
    context = dict(values)
    token = _bound.set(context)
    try:
        yield context
    finally:
        _bound.reset(token)


def bind(**values: str) -> None:
    """Add to the context of the present unit of work. Does nothing outside a unit."""
    context = _bound.get()
    if context is not None:
        context.update(values)


def separate() -> None:
    """Make the present context a unit of work of its own, with a copy of the values.

    Call it in the copied context of a thread that opens its own transactions beside those of the unit that started it.
    """
    present = _bound.get()
    if present is not None:
        _bound.set(dict(present))


def context() -> dict[str, str]:
    """A copy of the context."""
    return dict(_bound.get() or {})


def unit() -> object | None:
    """Return an object that identifies the present unit of work in all its threads; None outside a unit."""
    return _bound.get()


def request_id() -> str:
    """Return the id of the present request; empty outside a request."""
    return (_bound.get() or {}).get("request_id", "")
