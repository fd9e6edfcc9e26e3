"""Waiting for what another thread or process does, without a guess of how long it takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")

PATIENCE = 180.0
"""Seconds after which a test gives up; nothing that is promised depends on it."""


def wait_until(
    condition: Callable[[], Value],
    otherwise: str = "it did not happen",
    *,
    seconds: float = PATIENCE,
    ignore: tuple[type[Exception], ...] = (),
) -> Value:
    """Return the first true value of ``condition``; ask again after an error that is to be ignored."""
    until = time.monotonic() + seconds
    while True:
        try:
            if value := condition():
                return value
        except ignore:
            pass
        assert time.monotonic() < until, otherwise
        time.sleep(0.01)
