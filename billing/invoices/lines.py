"""The lines of a period: fees and use, by the terms of each of its days. Pure, but for the quantities it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from billing.terms import MeterTerms, Period, fee_amount, is_additive, usage_steps
from billing.terms.effective import fees

if TYPE_CHECKING:
    from uuid import UUID

    from billing.plans.timeline import BillingPeriod, Part, Timeline
    from billing.terms import PlanTerms

Quantities = Callable[[Period, Mapping[str, str]], Mapping[str, Decimal]]
"""Returns the quantity of each meter in a period, by the aggregation that the mapping names."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line before it is stored; see ``billing.invoices.models.InvoiceLine``."""

    kind: str
    description: str
    amount: Decimal
    code: str | None = None
    meter: str | None = None
    aggregation: str | None = None
    quantity: Decimal | None = None
    start: date | None = None
    end: date | None = None
    days: int | None = None
    of_days: int | None = None
    plan_version_id: UUID | None = None
    steps: tuple[dict[str, str], ...] = ()
    reference: UUID | None = None

    @property
    def key(self) -> tuple[str | None, date | None, date | None]:
        """Meter and days, by which late use finds what was invoiced before."""
        return self.meter, self.start, self.end


@dataclass(frozen=True, slots=True)
class _Span:
    """Days of a period with one value of a fee or of a meter's terms."""

    days: Period
    share: Fraction
    part: Part
    value: Any


def period_lines(
    timeline: Timeline, period: BillingPeriod, quantities: Quantities, *, until: date | None = None
) -> list[Line]:
    """Return the lines of a period: base fee, add-ons, then meters.

    Consecutive days with the same fee, or the same terms of a meter, are one line, so a change of other terms does not
    divide it. Days of the trial have no line.

    Args:
        timeline: the subscription.
        period: one of its periods.
        quantities: the usage.
        until: count only what came up to this day, with the prices of the whole period; all days when None.
    """
    parts = timeline.parts(period)
    cut = period.days if until is None else Period(period.days.start, min(until, period.days.end))
    return [*_fee_lines(parts, period, cut), *_usage_lines(parts, period, cut, quantities)]


def _fee_lines(parts: list[Part], period: BillingPeriod, cut: Period) -> Iterator[Line]:
    codes = dict.fromkeys(code for part in parts for code, _ in fees(part.terms))
    for code in codes:
        for span in _spans(parts, partial(_fee, code)):
            days = span.days.within(cut)
            if not days.days:
                continue
            share = Fraction(days.days, period.whole.days)
            yield Line(
                kind="base" if code is None else "add_on",
                description=span.part.plan if code is None else span.part.terms.add_ons[code].label,
                amount=fee_amount(span.value, share, period.currency),
                code=code,
                start=days.start,
                end=days.end,
                days=days.days,
                of_days=period.whole.days,
                plan_version_id=span.part.version_id,
            )


def _usage_lines(parts: list[Part], period: BillingPeriod, cut: Period, quantities: Quantities) -> Iterator[Line]:
    names = dict.fromkeys(each.meter for part in parts for each in part.terms.meters)
    spans = [
        replace(span, days=days)
        for name in names
        for span in _spans(parts, partial(_meter, name))
        if (days := span.days.within(cut)).days
    ]
    used = {
        days: quantities(days, {span.value.meter: span.value.aggregation for span in spans if span.days == days})
        for days in {span.days for span in spans}
    }
    for span in spans:
        terms: MeterTerms = span.value
        share = span.share if is_additive(terms.aggregation) else Fraction(span.days.days, period.whole.days)
        quantity = used[span.days][terms.meter]
        fee = usage_steps(terms, quantity, share, period.currency)
        yield Line(
            kind="usage",
            description=terms.label or terms.meter.replace("_", " ").capitalize(),
            amount=fee.amount,
            meter=terms.meter,
            aggregation=terms.aggregation,
            quantity=quantity,
            start=span.days.start,
            end=span.days.end,
            days=span.days.days,
            of_days=period.whole.days,
            plan_version_id=span.part.version_id,
            steps=tuple({name: f"{value:f}" for name, value in step._asdict().items()} for step in fee.steps),
        )


def _spans(parts: list[Part], value_of: Callable[[PlanTerms], Any]) -> Iterator[_Span]:
    """Yield the runs of days that have the same value; days of the trial and days without one have none."""
    for value, group in groupby(parts, lambda part: None if part.is_trial else value_of(part.terms)):
        if value is None:
            continue
        run = list(group)
        days = Period(run[0].days.start, run[-1].days.end)
        yield _Span(days, sum((part.share for part in run), Fraction(0)), run[-1], value)


def _fee(code: str | None, terms: PlanTerms) -> Decimal | None:
    return dict(fees(terms)).get(code)


def _meter(name: str, terms: PlanTerms) -> MeterTerms | None:
    return next((each for each in terms.meters if each.meter == name), None)


def late_lines(now: list[Line], invoiced: list[Line]) -> list[Line]:
    """Return what the use of an invoiced period costs above (or below) what its invoices charged.

    Args:
        now: the lines of the period, with all the use that has arrived.
        invoiced: the lines for its use on all invoices, of the period and for late use.
    """
    result = []
    for line in now:
        if line.kind != "usage" or line.quantity is None:
            continue
        before = [each for each in invoiced if each.key == line.key]
        amount = line.amount - sum((each.amount for each in before), Decimal(0))
        if amount:
            quantity = line.quantity - sum((each.quantity or Decimal(0) for each in before), Decimal(0))
            result.append(replace(line, kind="late_use", amount=amount, quantity=quantity))
    return result
