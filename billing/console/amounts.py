"""Amounts on pages of the business: money, quantities of meters, prices, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from billing.terms import exponent
from core.metering import meters
from core.web.texts import gettext as _
from core.web.texts import marked, shown_date, shown_exact, shown_month, shown_number, shown_size

AGGREGATIONS: Final = {
    "sum": marked("sum"),
    "count": marked("number of uses"),
    "max": marked("highest value"),
    "latest": marked("latest value"),
}
HEADLINE: Final = 10_000
UNITS: Final = {
    "byte": marked("bytes"),
    "row": marked("rows"),
    "import": marked("imports"),
    "patient": marked("patients"),
    "person": marked("people"),
    "page": marked("pages"),
    "question": marked("questions"),
    "token": marked("tokens"),
    "segment": marked("segments"),
    "request": marked("requests"),
    "second": marked("seconds"),
    "call": marked("calls"),
    "delivery": marked("deliveries"),
    "GB day": marked("GB days"),
    "US dollar": marked("US dollars"),
}
METERS: Final = {
    "api_calls": marked("API calls"),
    "active_people": marked("Active people"),
    "blob_bytes": marked("Stored files"),
    "database_bytes": marked("Tables and indexes"),
    "import_rows": marked("Imported rows"),
    "imports": marked("Imports"),
    "job_seconds": marked("Time of jobs"),
    "knowledge_egress_blocked": marked("Questions that were not let out"),
    "knowledge_pages": marked("Pages of guidelines"),
    "knowledge_questions": marked("Questions to guidelines"),
    "language_model_cost": marked("Price of the language model"),
    "language_model_seconds": marked("Time of the language model"),
    "language_model_tokens": marked("Tokens of the language model"),
    "patients_scored": marked("Patients scored"),
    "plugin_requests": marked("Requests of plugins"),
    "request_seconds": marked("Time of requests"),
    "sms_segments": marked("SMS segments"),
    "storage_bytes": marked("Storage"),
    "storage_gb_days": marked("Storage by days"),
    "webhook_deliveries": marked("Deliveries of webhooks"),
}
FEATURES: Final = {
    "alerts": marked("Alerts"),
    "billing": marked("Billing"),
    "cohort": marked("Cohort"),
    "core": marked("The platform"),
    "followup": marked("Follow-up"),
    "imports": marked("Imports"),
    "knowledge": marked("Guidelines"),
    "messages": marked("Messages"),
    "portal": marked("Pages"),
    "quality": marked("Quality of records"),
    "records": marked("Records"),
    "reports": marked("Reports"),
    "risk": marked("Risk"),
    "storage": marked("Storage"),
}
MOST_LABELS: Final = 8


def money(amount: Decimal, currency: str) -> str:
    """Return an amount such as ``NGN 12,500.00``, exact and with the decimals of its currency."""
    return f"{currency} {shown_exact(amount, exponent(currency))}"


def short_money(amount: Decimal, currency: str) -> str:
    """Return an amount as a headline has it: without decimals from 10,000 on, where a narrow screen would break it."""
    digits = 0 if abs(amount) >= HEADLINE else exponent(currency)
    return f"{currency} {shown_exact(amount, digits)}"


def dollars(amount: Decimal | None) -> str:
    """Return an amount of US dollars with cents; a dash for None."""
    return "\N{EN DASH}" if amount is None else shown_exact(amount, 2)


def quantity(value: Decimal, meter: str | None) -> str:
    """Return a quantity of a meter with its unit, such as ``12,400 row`` or ``1.2 GB``."""
    declared = meters().get(meter or "")
    if declared is not None and declared.unit == "byte":
        return shown_size(float(value))
    number = shown_number(float(value), 3)
    return number if declared is None else " ".join((number, _(UNITS.get(declared.unit, declared.unit))))


def meter_name(name: str) -> str:
    """Return the name of a meter in the reader's language; its code if it has none."""
    return _(METERS[name]) if name in METERS else name


def feature_name(name: str) -> str:
    """Return the name of a feature in the reader's language; its code if it has none."""
    return _(FEATURES[name]) if name in FEATURES else name


def last_day(end: date) -> date:
    """Return the last day of a period whose first day after it is ``end``."""
    return end - timedelta(days=1)


def day_after(day: date) -> date:
    """Return the next day."""
    return day + timedelta(days=1)


def steps_text(steps: Sequence[Mapping[str, str | Decimal]], currency: str) -> str:
    """Return how the price of a quantity came about, such as ``1,000 times NGN 5, and 400 times NGN 4``."""
    return " + ".join(_step_text(step, currency) for step in steps)


def _step_text(step: Mapping[str, str | Decimal], currency: str) -> str:
    quantity_, unit_price, flat = (Decimal(step[name]) for name in ("quantity", "unit_price", "flat"))
    parts = []
    if unit_price:
        parts.append(f"{plain(quantity_)} \N{MULTIPLICATION SIGN} {currency} {plain(unit_price)}")
    if flat:
        parts.append(f"{currency} {plain(flat)}")
    return " + ".join(parts)


def thousand(price: Decimal | None) -> str:
    """Return the US dollars of a thousand, with four decimals because one costs little; a dash for None."""
    return "\N{EN DASH}" if price is None else shown_exact(price * 1000, 4)


def plain(value: Decimal) -> str:
    """Return an exact number with as many decimals as it needs."""
    normal = value.normalize()
    return shown_exact(normal, max(0, -int(normal.as_tuple().exponent)))


def month(day: date) -> str:
    """Return a month such as ``November 2026``."""
    return shown_month(day)


def aggregation_text(aggregation: str) -> str:
    """Return how uses make a quantity, such as ``sum`` or ``different values of person``."""
    if aggregation in AGGREGATIONS:
        return _(AGGREGATIONS[aggregation])
    return _("different values of {dimension}").format(dimension=aggregation.partition(":")[2])


def previous_month(day: date) -> str:
    """Return the month before a day's, such as ``2026-10``."""
    return (day.replace(day=1) - timedelta(days=1)).isoformat()[:7]


def plain_field(value: Decimal) -> str:
    """Return a number as a field of a form has it: digits, and a point before decimals."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def points(by_day: Mapping[date, Decimal]) -> list[tuple[str, float, str]]:
    """Return the points of a line over days, with labels for as many of them as fit."""
    step = max(1, -(-len(by_day) // MOST_LABELS))
    return [
        (shown_date(day, "short")[:5] if at % step == 0 else "", float(value), shown_number(float(value), 1))
        for at, (day, value) in enumerate(by_day.items())
    ]


def dimension_facts(values: Mapping[str, Decimal], meter: str) -> list[tuple[str, str]]:
    """Return the quantities of a dimension's values, the largest first."""
    ordered = sorted(values.items(), key=lambda each: -each[1])
    return [(name or _("not named"), quantity(value, meter)) for name, value in ordered[:20]]


def feature_facts(features: Iterable[tuple[str, Decimal]]) -> list[tuple[str, str]]:
    """Return costs by feature as pairs of name and US dollars."""
    return [(feature_name(name), dollars(amount)) for name, amount in features]


def dollar_points(days: Mapping[date, Decimal]) -> list[tuple[str, float, str]]:
    """Return the points of a line of costs over days, with labels for as many of them as fit."""
    step = max(1, -(-len(days) // MOST_LABELS))
    return [
        (shown_date(day, "short")[:5] if at % step == 0 else "", float(value), dollars(value))
        for at, (day, value) in enumerate(days.items())
    ]


def rates_text(rates: Mapping[str, Decimal]) -> str:
    """Return prices by name in one line; the price of all others is named so."""
    return ", ".join(" ".join((name or _("others"), plain(value))) for name, value in sorted(rates.items()))


def rates_lines(rates: Mapping[str, Decimal]) -> str:
    """Return prices by name as a field of a form has them, one a line."""
    return "\n".join(f"{name or 'others'}: {plain_field(value)}" for name, value in sorted(rates.items()))
