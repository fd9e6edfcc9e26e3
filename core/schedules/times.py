"""The times of a schedule: a cron expression in a time zone.

Five fields: minute, hour, day of month, month, day of week. As Debian's cron does, a fixed time that a clock change
skips is due right after the gap, and one that a clock change repeats is due once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from core.errors import FieldError, Invalid, phrase

_FIELDS: Final = 5
LONGEST: Final = 100


def next_time(cron: str, zone: str, after: datetime) -> datetime:
    """Return the first time of a cron expression after a moment, in UTC.

    Raises:
        Invalid: it is no cron expression, or has no time ever.
    """
    if len(cron.split()) != _FIELDS or len(cron) > LONGEST:
        raise _wrong()
    try:
        times = CronSim(cron, after.astimezone(ZoneInfo(zone)))
        moment = next(times)
        while moment <= after:  # a clock change repeats an hour: it is skipped the second time
            moment = next(times)
    except (CronSimError, StopIteration) as error:
        raise _wrong() from error
    return moment.astimezone(UTC)


def settled(next_run: datetime, cron: str, zone: str, moment: datetime) -> tuple[datetime | None, datetime]:
    """Return the time at which a schedule is due, and its next time.

    All missed times together are one: the schedule runs once, and is due next after the present.

    Args:
        next_run: when it was to run next.
        cron: its times.
        zone: time zone of the tenant.
        moment: the present.

    Returns:
        The time at which it was due, None if it is not due yet; and when it is due next.
    """
    if next_run > moment:
        return None, next_run
    return next_run, next_time(cron, zone, moment)


def _wrong() -> Invalid:
    problem = phrase("is not a time of cron")
    remedy = phrase("Write minute, hour, day of month, month and day of week, such as 0 2 * * *.")
    return Invalid(phrase("the times are not valid"), errors=[FieldError("cron", problem, remedy)])
