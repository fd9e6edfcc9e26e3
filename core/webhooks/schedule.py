"""When a failed delivery is tried again, and what the receiver's answer means."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Literal

PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000))
"""Before each further attempt."""
JITTER: Final = 0.2
LONGEST_RETRY_AFTER: Final = timedelta(hours=24)
LONGEST_PAUSE: Final = timedelta(minutes=5)
"""Of an endpoint that fails again and again."""
GONE: Final = 410
_SUCCESSES: Final = range(200, 300)

Verdict = Literal["delivered", "gone", "failed"]


def verdict_of(status: int | None) -> Verdict:
    """Return what an answer means. Everything but 2xx and 410 is a failure, a redirect too."""
    if status is None:
        return "failed"
    return "delivered" if status in _SUCCESSES else "gone" if status == GONE else "failed"


def pause_before(attempts: int, retry_after: timedelta | None = None) -> timedelta | None:
    """Return the pause before the next attempt, with jitter; None after the last one.

    Args:
        attempts: how many there were.
        retry_after: the pause that the receiver asked for, if it did.
    """
    if attempts > len(PAUSES):
        return None
    pause: timedelta = PAUSES[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
    return pause if retry_after is None else max(pause, min(retry_after, LONGEST_RETRY_AFTER))


def pause_of_endpoint(failures: int) -> timedelta:
    """Return how long an endpoint rests after so many failures in a row."""
    rest: timedelta = PAUSES[0] * 2 ** min(failures - 1, 10)
    return min(rest, LONGEST_PAUSE)


def retry_after(value: str | None, moment: datetime) -> timedelta | None:
    """Return the pause that a Retry-After header asks for, in seconds or as a date; None if it is no such header."""
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), LONGEST_RETRY_AFTER.total_seconds()))
    try:
        return max(parsedate_to_datetime(value) - moment, timedelta(0))
    except (ValueError, TypeError):
        return None
