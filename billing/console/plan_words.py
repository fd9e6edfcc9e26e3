"""Texts of plans: what a meter costs, what its caps do, and what is wrong with a form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from billing.console.amounts import AGGREGATIONS, METERS, aggregation_text, meter_name, money, plain, quantity
from billing.console.tenant_view import CapUse
from billing.plans.models import Plan, PlanVersion
from billing.terms import MeterTerms, Package, PerUnit, PlanTerms, Volume
from billing.terms.charges import Tier
from core.errors import AppError
from core.errors.findings import OF_THE_API
from core.feature_registry import Meter
from core.web.problem_texts import problem_text, shown_sentence
from core.web.stored_texts import shown_phrase
from core.web.texts import gettext as _
from core.web.texts import marked, shown_share

INTERVALS: Final = {"month": marked("month"), "quarter": marked("quarter")}
ALIGNMENTS: Final = {
    "calendar": marked("by the calendar"),
    "anniversary": marked("from the day of the start"),
}
CHARGES: Final = {
    "per_unit": marked("a price for each unit"),
    "graduated": marked("tiers, each unit at its tier's price"),
    "volume": marked("tiers, all units at the reached tier's price"),
    "package": marked("whole packages"),
}
PLACES: Final = {
    "currency": marked("Currency"),
    "interval": marked("Period"),
    "alignment": marked("Periods"),
    "base_fee": marked("Base fee"),
    "trial_days": marked("Days of trial"),
    "grace_days": marked("Days in which late use still counts"),
    "due_days": marked("Days until an invoice is due"),
    "included": marked("Included in the fee"),
    "soft_cap": marked("Warn at"),
    "hard_cap": marked("Stop extras at"),
    "label": marked("Name on invoices"),
    "aggregation": marked("Counted as"),
    "prices": marked("Prices"),
    "unit_price": marked("Price of a unit"),
    "model": marked("Charged by"),
    "up_to": marked("Up to"),
    "flat": marked("Fee of a tier"),
    "size": marked("Size of a package"),
    "price": marked("Price of a package"),
    "meter": marked("Meter"),
    "tenants": marked("Partners"),
    "effective_on": marked("From the day"),
    "amount": marked("Amount"),
    "reason": marked("Why"),
}
EXTRAS_OFF: Final = marked("Extras off")


def prices_text(terms: MeterTerms, currency: str) -> str:
    """Return what a meter costs, such as ``NGN 5 each; 1,000 included``."""
    charge = terms.charge
    if isinstance(charge, PerUnit):
        text = _("{price} each").format(price=f"{currency} {plain(charge.unit_price)}")
    elif isinstance(charge, Package):
        price = f"{currency} {plain(charge.price)}"
        text = _("{price} for each {size} that were begun").format(price=price, size=plain(charge.size))
    else:
        text = "; ".join(_tier_text(tier, currency) for tier in charge.tiers)
        if isinstance(charge, Volume):
            text = _("{tiers} (for all units)").format(tiers=text)
    if terms.included:
        text += "; " + _("{quantity} included").format(quantity=plain(terms.included))
    return text


def _tier_text(tier: Tier, currency: str) -> str:
    price = f"{currency} {plain(tier.unit_price)}"
    if tier.flat:
        price += f" + {currency} {plain(tier.flat)}"
    if tier.up_to is None:
        return _("more: {price}").format(price=price)
    return _("up to {quantity}: {price}").format(quantity=plain(tier.up_to), price=price)


def caps_text(terms: MeterTerms) -> str:
    """Return the caps of a meter, such as ``warns at 80,000, stops extras at 100,000``; empty without one."""
    parts = []
    if terms.soft_cap is not None:
        parts.append(_("warns at {quantity}").format(quantity=plain(terms.soft_cap)))
    if terms.hard_cap is not None:
        parts.append(_("stops extras at {quantity}").format(quantity=plain(terms.hard_cap)))
    return ", ".join(parts)


def meter_choices(every: Iterable[Meter]) -> list[tuple[str, str]]:
    """Return meters as the options of a field."""
    return [(each.name, meter_name(each.name)) for each in every]


def aggregation_choices(every: Iterable[Meter], present: str) -> list[tuple[str, str]]:
    """Return the ways to count as the options of a field, with those that meters of different values have."""
    codes = [*AGGREGATIONS, *sorted({each.aggregation for each in every if ":" in each.aggregation} | {present} - {""})]
    return [("", _("as the meter counts")), *((code, aggregation_text(code)) for code in dict.fromkeys(codes))]


def place_text(place: str) -> str:
    """Return where a value of a plan is, such as ``SMS segments: Price of a unit``."""
    parts = [part for part in place.split(".") if part not in ("meters", "charge", "tiers", "add_ons")]
    names = [meter_name(part) if part in METERS else _(PLACES[part]) if part in PLACES else part for part in parts]
    return ": ".join(names)


def problem_lines(problem: AppError) -> list[tuple[str, str]]:
    """Return what is wrong with a form, as an error summary shows it: one line for each field, without a link."""
    if not problem.errors:
        return [("", problem_text(problem))]
    lines = []
    for each in problem.errors:
        remedy = f" {shown_sentence(each.remedy)}" if each.remedy and each.remedy != OF_THE_API else ""
        lines.append(("", f"{place_text(each.field)} {shown_phrase(each.problem)}.{remedy}"))
    return lines


def cap_text(cap: CapUse) -> str:
    """Return how much of a cap is used, and what happens at it."""
    values = {
        "meter": cap.terms.label or meter_name(cap.terms.meter),
        "used": quantity(cap.used, cap.terms.meter),
        "cap": quantity(cap.cap, cap.terms.meter),
        "share": shown_share(cap.share),
    }
    if cap.terms.hard_cap is not None:
        return _("{meter}: {used} of {cap} ({share}). Extras stop at the cap; care goes on.").format(**values)
    return _("{meter}: {used} of {cap} ({share}). Above the cap you are warned.").format(**values)


def plan_choices(plans: Sequence[tuple[Plan, PlanVersion, PlanTerms]]) -> list[tuple[str, str]]:
    """Return plans as the options of a field."""
    return [(plan.code, f"{plan.name} · {money(terms.base_fee, terms.currency)}") for plan, _version, terms in plans]


def add_on_choices(plans: Sequence[tuple[Plan, PlanVersion, PlanTerms]]) -> list[tuple[str, str]]:
    """Return the add-ons of all plans as options; each plan takes its own only."""
    return [
        (code, f"{each.label} ({plan.name}, {money(each.fee, terms.currency)})")
        for plan, _version, terms in plans
        for code, each in terms.add_ons.items()
    ]
