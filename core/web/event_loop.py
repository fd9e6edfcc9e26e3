"""Dependencies that only gather parameters, made where the request is read and not in a thread of their own."""

from __future__ import annotations

from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Made = TypeVar("Made")


def here(make: Callable[..., Made]) -> Callable[..., Awaitable[Made]]:
    """For ``Depends``: as ``make``, which does not wait for anything.

    FastAPI takes every class and plain function for something that may wait, and gives it to a thread: that costs as
    much as reading a row.
    """

    @wraps(make)
    async def made(**given: Any) -> Made:  # noqa: ANN401 - whatever it takes
        return make(**given)

    made.__signature__ = signature(make)  # type: ignore[attr-defined]  # what FastAPI reads
    return made
