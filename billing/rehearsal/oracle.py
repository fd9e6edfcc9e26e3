"""The oracle: what a partner owes, computed day by day in fractions from its script, with no code of invoices."""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from billing.rehearsal.scripts import Script, TermsFrom, Use

_DECIMALS = {"NGN": 2, "USD": 2, "XOF": 0, "TND": 3}


def expected_totals(script: Script) -> dict[str, Fraction]:
    """Return what all fees and all use of a partner cost, by currency, before credits and taxes."""
    totals: dict[str, Fraction] = defaultdict(Fraction)
    for period in _periods(script):
        currency = period[0][1].terms["currency"]
        whole = period[0][2]
        for code in ("base", "help"):
            for days, fee in _runs(period, lambda terms, code=code: _fees(terms).get(code)):
                totals[currency] += _rounded(Fraction(fee) * len(days) / whole, currency)
        for meter in sorted({each["meter"] for _, terms, _, _ in period for each in terms.terms["meters"]}):
            for days, terms in _runs(period, lambda terms, meter=meter: _meter(terms, meter)):
                totals[currency] += _usage(script, meter, days, terms, whole, currency)
    return totals


_Day = tuple[date, "TermsFrom", int, bool]
"""A day, its terms, the days of its whole period, and whether it is a trial."""


def _periods(script: Script) -> Iterator[list[_Day]]:
    """Yield the days of each period, until the calendar, the currency, the interval or the alignment ends it."""
    first = script.changes[0]
    trial_end = first.day + timedelta(days=first.terms.get("trial_days", 0))
    period: list[_Day] = []
    day, anchor, whole_end, whole, kind = first.day, first.day, first.day, 0, None
    while day < script.ends_on:
        terms = [change for change in script.changes if change.day <= day][-1]
        now = (
            terms.terms["currency"],
            terms.terms.get("interval", "month"),
            terms.terms.get("alignment", "calendar"),
        )
        if now != kind or day == whole_end:
            if period:
                yield period
            anchor = day if now != kind else anchor
            kind, period = now, []
            start, whole_end = _whole(anchor, day, now[1], now[2])
            whole = (whole_end - start).days
        period.append((day, terms, whole, day < trial_end))
        day += timedelta(days=1)
    if period:
        yield period


def _whole(anchor: date, day: date, interval: str, alignment: str) -> tuple[date, date]:
    length = 3 if interval == "quarter" else 1
    if alignment == "calendar":
        month = (day.month - 1) // length * length
        return date(day.year, month + 1, 1), _later(date(day.year, month + 1, 1), length)
    count = 0
    while _later(anchor, (count + 1) * length) <= day:
        count += 1
    return _later(anchor, count * length), _later(anchor, (count + 1) * length)


def _later(day: date, months: int) -> date:
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)  # noqa: PLR2004
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _runs(period: list[_Day], value_of: Any) -> Iterator[tuple[list[date], Any]]:  # noqa: ANN401
    """Yield the runs of charged days with one value, for each part of the value that changes by itself."""
    days: list[date] = []
    last = None
    for day, terms, _, is_trial in period:
        value = None if is_trial else value_of(terms)
        if days and value != last:
            yield days, last
            days = []
        last = value
        if value is not None:
            days.append(day)
    if days:
        yield days, last


def _fees(terms: TermsFrom) -> dict[str, str]:
    fee = terms.overrides.get("base_fee", terms.terms["base_fee"])
    return {"base": fee, **{code: terms.terms["add_ons"][code]["fee"] for code in terms.add_ons}}


def _meter(terms: TermsFrom, name: str) -> dict[str, Any] | None:
    return next((each for each in terms.terms["meters"] if each["meter"] == name), None)


def _usage(script: Script, meter: str, days: list[date], terms: dict[str, Any], whole: int, currency: str) -> Fraction:
    uses = [use for use in script.uses if use.meter == meter and use.fate != "corrected"]
    inside = [use for use in uses if days[0] <= _day(use, script.zone) <= days[-1]]
    aggregation = terms.get("aggregation", "sum")
    share = Fraction(len(days), whole)
    included = Fraction(terms.get("included", 0))
    if aggregation in ("sum", "count"):
        quantity = Fraction(sum(use.value for use in inside) if aggregation == "sum" else len(inside))
        return _rounded(_price(terms["charge"], quantity - _millionths(included * share), share), currency)
    if aggregation == "max":
        quantity = Fraction(max((use.value for use in inside), default=0))
    else:
        quantity = Fraction(len({use.dimensions["model"] for use in inside}))
    return _rounded(_price(terms["charge"], quantity - included, Fraction(1)) * share, currency)


def _day(use: Use, zone: str) -> date:
    """The day of the hour of UTC in which a use occurred."""
    hour: datetime = use.at.replace(minute=0, second=0, microsecond=0)
    return hour.astimezone(ZoneInfo(zone)).date()


def _price(charge: dict[str, Any], quantity: Fraction, share: Fraction) -> Fraction:
    if quantity <= 0:
        return Fraction(0)
    if charge["model"] == "per_unit":
        return quantity * Fraction(charge["unit_price"])
    if charge["model"] == "package":
        packages: int = ceil(quantity / charge["size"])
        return packages * Fraction(charge["price"])
    total, below = Fraction(0), Fraction(0)
    for tier in charge["tiers"]:
        above = quantity if "up_to" not in tier else min(quantity, _millionths(Fraction(tier["up_to"]) * share))
        reached = quantity > below
        if charge["model"] == "volume":
            if above == quantity:
                return quantity * Fraction(tier["unit_price"]) + Fraction(tier.get("flat", 0))
        elif reached:
            total += (above - below) * Fraction(tier["unit_price"]) + Fraction(tier.get("flat", 0))
        below = max(below, above)
    return total


def _millionths(value: Fraction) -> Fraction:
    return Fraction(floor(value * 10**6 + Fraction(1, 2)), 10**6)


def _rounded(value: Fraction, currency: str) -> Fraction:
    scale = 10 ** _DECIMALS[currency]
    return Fraction(floor(value * scale + Fraction(1, 2)), scale)


def gaps(numbers: Iterable[int]) -> list[int]:
    """Return the numbers from 1 on that are missing or double."""
    ordered = sorted(numbers)
    return [each for place, each in enumerate(ordered, 1) if each != place]
