"""Deadlines: when a request or a job must be done, known to every call that it makes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_until: ContextVar[float | None] = ContextVar("iit_deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Set a deadline for all calls in the block. An earlier deadline that is there already stays."""
    outer, own = _until.get(), time.monotonic() + seconds
    token = _until.set(own if outer is None else min(outer, own))
    try:
        yield
    finally:
        _until.reset(token)


def seconds_left(most: float) -> float:
    """Return the seconds until the deadline, ``most`` if there is none or more is left; at least 0."""
    until = _until.get()
    return most if until is None else max(0.0, min(most, until - time.monotonic()))
