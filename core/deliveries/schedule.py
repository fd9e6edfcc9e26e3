"""When a delivery is tried again."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Final

PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1_800, 7_200, 18_000))
"""Before each further try."""
JITTER: Final = 0.2
SHORTEST: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(hours=24)


def pause_before(attempts: int, asked: timedelta | None = None) -> timedelta | None:
    """Return the pause before the next try, with jitter; None after the last one.

    Args:
        attempts: how many there were, from 1.
        asked: the pause that the receiver asked for, if it did. It counts if it is longer, up to a day.
    """
    if attempts > len(PAUSES):
        return None
    pause: timedelta = PAUSES[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
    return pause if asked is None else max(pause, min(asked, LONGEST))
