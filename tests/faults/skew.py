"""A clock that is wrong, for a worker in a process of its own."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from core import clock


def install(seconds: float) -> None:
    """Set the clock of this process ahead; call this before modules import ``core.clock.now``."""
    real = time.time
    time.time = lambda: real() + seconds
    clock.now = lambda: datetime.now(UTC) + timedelta(seconds=seconds)
