"""Aware UTC instants and the date in a tenant's time zone."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

_frozen: ContextVar[datetime | None] = ContextVar("core.clock.frozen", default=None)


def now() -> datetime:
    """The present instant, aware and in UTC."""
    return _frozen.get() or datetime.now(UTC)


def today(tz: str) -> date:
    """The present date where the tenant is.

    Args:
        tz: an IANA name, such as ``Africa/Lagos``.

    Raises:
        ValueError: there is no such time zone.
    """
    return now().astimezone(zone(tz)).date()


def zone(tz: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        ValueError: there is no such time zone.
    """
    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"{tz!r} is not an IANA time zone: use a name such as Africa/Lagos"
        raise ValueError(message) from None


@contextmanager
def frozen(instant: datetime) -> Iterator[datetime]:
    """Stop the clock of this context at ``instant`` (tests). New threads have the real time.

    Raises:
        ValueError: ``instant`` has no time zone.
    """
    if instant.tzinfo is None:
        message = "the instant needs a time zone: datetime(..., tzinfo=UTC)"
        raise ValueError(message)
    token = _frozen.set(instant.astimezone(UTC))
    try:
        yield instant.astimezone(UTC)
    finally:
        _frozen.reset(token)
