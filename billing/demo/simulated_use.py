"""Simulated use of a partner, day by day. It depends on the partner and the day alone, so the demo can run again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = "simulated:"
"""How the key of each simulated use begins, so that everybody sees what it is."""
_SUNDAY: Final = 6
_HOUR: Final = 9


@dataclass(frozen=True, slots=True)
class SimulatedUse:
    """One use that never happened."""

    meter: str
    value: Decimal
    key: str
    occurred_at: datetime
    dimensions: dict[str, str] = field(default_factory=dict)


def uses_of_day(slug: str, size: int, day: date) -> Iterator[SimulatedUse]:
    """Yield the simulated uses of a partner on a day (UTC).

    Args:
        slug: of the partner.
        size: people in care, on which everything else depends.
        day: the day.
    """
    share = _share(slug, day)
    works = 0.15 if day.weekday() == _SUNDAY else 0.8 + 0.4 * share
    scored = round(size * 0.62 * (0.97 + 0.06 * share))
    yield _use("patients_scored", scored, day, model="additive-1")
    yield _use("job_seconds", round(scored * 0.09), day, "risk", feature="risk")
    yield _use("job_seconds", round(size * 0.02), day, "cohort", feature="cohort")
    yield _use("request_seconds", round(size * 0.11 * works), day, "portal", feature="portal")
    yield _use("request_seconds", round(size * 0.03 * works), day, "followup", feature="followup")
    yield _use("sms_segments", round(size * 0.08 * works), day, purpose="reminders", gateway="termii")
    questions = round(size * 0.006 * works)
    yield _use("knowledge_questions", questions, day, outcome="answered")
    yield _use("language_model_cost", Decimal(questions) * Decimal("0.0041"), day, model="simulated-model")
    grown = (day - date(2026, 1, 1)).days
    yield _use("database_bytes", size * 400_000 + grown * size * 900, day)
    yield _use("blob_bytes", size * 120_000 + grown * size * 300, day)
    if day.weekday() == 0:
        yield _use("imports", 1, day)
        yield _use("import_rows", round(size * 1.4), day)
        yield _use("job_seconds", round(size * 0.05), day, "imports", feature="imports")


def uses_between(slug: str, size: int, start: date, end: date) -> Iterator[SimulatedUse]:
    """Yield the simulated uses of the days from ``start`` until before ``end``."""
    for number in range((end - start).days):
        yield from uses_of_day(slug, size, start + timedelta(days=number))


def _use(meter: str, value: Decimal | int, day: date, part: str = "", **dimensions: str) -> SimulatedUse:
    key = f"{PREFIX}{day.isoformat()}" + (f":{part}" if part else "")
    return SimulatedUse(
        meter, Decimal(value), key, datetime(day.year, day.month, day.day, _HOUR, tzinfo=UTC), dimensions
    )


def _share(slug: str, day: date) -> float:
    """Return a number from 0 to 1 that looks random and is always the same for a partner and a day."""
    digest = int.from_bytes(sha256(f"{slug} {day.isoformat()}".encode()).digest()[:4], "big")
    return math.fmod(digest / 2**32, 1.0)
