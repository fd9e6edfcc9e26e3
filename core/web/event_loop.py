"""Runs a dependency on the event loop instead of in a thread, if it only gathers parameters."""

from __future__ import annotations

from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Value = TypeVar("Value")


def on_event_loop(make: Callable[..., Value]) -> Callable[..., Awaitable[Value]]:
    """Return ``make`` as a coroutine function for ``Depends``; ``make`` must not wait for anything.

    FastAPI runs every class and plain function in a thread, because it might wait. A thread costs as much as reading a
    row.
    """

    @wraps(make)
    async def call(**parameters: Any) -> Value:  # noqa: ANN401 - as the signature of make has them
        return make(**parameters)

    call.__signature__ = signature(make)  # type: ignore[attr-defined]  # FastAPI reads it
    return call
