"""What simulated partners do: plans, changes, uses, late and duplicated ones, corrections. A function of the seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

ZONES: Final = ("Africa/Lagos", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "UTC", "Europe/Lisbon")
LATEST_DAYS: Final = 45
"""Most days from a use to its record: long after the grace."""

_TIERS: Final = [{"up_to": 200, "unit_price": "0.12", "flat": "1"}, {"unit_price": "0.075"}]
_MODELS: Final = ("champion", "challenger", "base")


def _meters(model: str) -> list[dict[str, Any]]:
    charges: dict[str, dict[str, Any]] = {
        "per_unit": {"model": "per_unit", "unit_price": "0.0333"},
        "graduated": {"model": "graduated", "tiers": _TIERS},
        "volume": {"model": "volume", "tiers": _TIERS},
        "package": {"model": "package", "size": 50, "price": "3.999"},
    }
    return [
        {"meter": "sms_segments", "charge": charges[model], "included": 40},
        {"meter": "imports", "aggregation": "count", "charge": {"model": "per_unit", "unit_price": "1.005"}},
        {
            "meter": "storage_bytes",
            "aggregation": "max",
            "charge": {"model": "per_unit", "unit_price": "0.000000013"},
            "included": 1000000,
        },
        {
            "meter": "patients_scored",
            "aggregation": "unique:model",
            "charge": {"model": "per_unit", "unit_price": "7.77"},
            "included": 1,
        },
    ]


def _plan(currency: str, model: str, fee: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - terms as JSON
    return {
        "currency": currency,
        "base_fee": fee,
        "meters": _meters(model),
        "add_ons": {"help": {"label": "Help by phone", "fee": "9.99"}},
        **values,
    }


PLANS: Final[dict[str, dict[str, Any]]] = {
    "graduated": _plan("NGN", "graduated", "280.50"),
    "anniversary": _plan("USD", "per_unit", "99.99", alignment="anniversary", trial_days=10),
    "quarter": _plan("XOF", "volume", "25000", interval="quarter", grace_days=5),
    "package": _plan("TND", "package", "31.415", alignment="anniversary"),
    "dollars": _plan("USD", "graduated", "120"),
}


@dataclass(frozen=True, slots=True)
class Use:
    """A use: when it occurred and when it is recorded, and what becomes of it.

    Attributes:
        fate: ``counted``; ``repeated`` with the same content; ``contradicted`` by other content with the same key,
            which is rejected; or ``corrected`` by a counter-entry.
    """

    key: str
    meter: str
    value: int
    dimensions: dict[str, str]
    at: datetime
    recorded_on: date
    fate: str


@dataclass(frozen=True, slots=True)
class TermsFrom:
    """Terms of a partner from a day on."""

    day: date
    plan: str
    add_ons: tuple[str, ...] = ()
    overrides: dict[str, Any] = field(default_factory=dict)

    @property
    def terms(self) -> dict[str, Any]:
        """The plan's terms."""
        return PLANS[self.plan]


@dataclass(frozen=True, slots=True)
class Script:
    """One partner's part."""

    number: int
    zone: str
    tax_rate: str
    exemption: str | None
    changes: tuple[TermsFrom, ...]
    ends_on: date
    uses: tuple[Use, ...]
    credits: tuple[tuple[date, str, int, date | None], ...]


def write_script(number: int, start: date, months: int, seed: int) -> Script:
    """Return the part of a partner: a function of its number and the seed."""
    random = Random(seed * 1000 + number)  # noqa: S311 - a simulation
    last_day = start + timedelta(days=int(months * 30.4))
    first = start + timedelta(days=(30, 0, 58, 14, 3)[number % 5])  # the 31st of January among them
    names = list(PLANS)
    changes = [TermsFrom(first, names[number % len(names)], ("help",) if number % 3 == 0 else ())]
    for offset in sorted(random.sample(range(40, max(41, int(months * 30) - 20)), k=min(number % 4, 3))):
        name = random.choice(names)
        overrides = {"base_fee": str(random.randint(1, 500))} if random.random() < 0.4 else {}  # noqa: PLR2004
        changes.append(TermsFrom(first + timedelta(days=offset), name, ("help",) * random.randint(0, 1), overrides))
    ends_on = last_day if number % 4 else first + timedelta(days=int(months * 20))
    zone = ZONES[number % len(ZONES)]
    return Script(
        number=number,
        zone=zone,
        tax_rate=random.choice(("0", "7.5", "18", "16.25")),
        exemption="An NGO" if number % 7 == 0 else None,
        changes=tuple(changes),
        ends_on=max(ends_on, first + timedelta(days=1)),
        uses=tuple(_uses(random, number, ZoneInfo(zone), first, last_day)),
        credits=tuple(_credits(random, changes, months)),
    )


def _uses(random: Random, number: int, zone: ZoneInfo, first: date, last_day: date) -> list[Use]:
    uses = []
    for offset in range((last_day - first).days):
        day = first + timedelta(days=offset)
        for place in range(random.choice((0, 0, 1, 2))):
            meter = random.choice(("sms_segments", "sms_segments", "imports", "storage_bytes", "patients_scored"))
            # Near midnight more often than by chance.
            hour = random.choice((0, 23, random.randint(0, 23)))
            at = datetime.combine(day, time(hour, random.randint(0, 59)), tzinfo=zone).astimezone(UTC)
            late = random.randint(1, LATEST_DAYS) if random.random() < 0.06 else 0  # noqa: PLR2004
            fate = random.choices(("counted", "repeated", "contradicted", "corrected"), (90, 4, 3, 3))[0]
            if meter in ("storage_bytes", "patients_scored") and fate == "corrected":
                fate = "repeated"
            uses.append(
                Use(
                    key=f"{number}-{offset}-{place}",
                    meter=meter,
                    value=random.randint(1, 90) * (1_000_000 if meter == "storage_bytes" else 1),
                    dimensions={"model": random.choice(_MODELS)} if meter == "patients_scored" else {},
                    at=at,
                    recorded_on=at.date() + timedelta(days=late),
                    fate=fate,
                )
            )
    return uses


def _credits(random: Random, changes: list[TermsFrom], months: int) -> list[tuple[date, str, int, date | None]]:
    if random.random() < 0.5:  # noqa: PLR2004
        return []
    start = changes[0].day
    granted = start + timedelta(days=random.randint(1, max(2, months * 20)))
    expires = granted + timedelta(days=random.randint(5, 70))
    return [(granted, str(random.randint(10, 300)), 10, expires), (granted, str(random.randint(10, 900)), 50, None)]
