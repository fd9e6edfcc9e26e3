"""Terms of a plan as Stripe's products, meters and prices. Prices are named by their content, so equal terms share one.

Stripe's prices show what a partner pays; our invoices are computed from our ledger alone. A charge that Stripe's models
cannot express (an included quantity under volume or package prices, a bound that is no whole number) is shown as a
price of 0 that says so.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from billing.payments.amounts import unit_price
from billing.payments.outbox import plan
from billing.payments.references import reference
from billing.terms import GraduatedCharge, Package, PerUnit, Volume, is_additive

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

    from billing.terms import MeterTerms, PlanTerms, Tier

_ZERO: Final = Decimal(0)
_MONTHS: Final = {"month": 1, "quarter": 3}
_BY_OUR_INVOICE: Final = "priced by our invoice"


def meter_id(meter: str, aggregation: str) -> str:
    """Return our name of the meter at Stripe for an aggregation: ``sum`` adds events up, ``last`` takes the latest."""
    return f"{meter}:{aggregation}:{'sum' if is_additive(aggregation) else 'last'}"


def event_name(own_id: str) -> str:
    """Return the name of a meter's events at Stripe: at most 100 characters."""
    name = "iit_" + own_id.replace(":", "_")
    return name if len(name) <= 100 else f"{name[:67]}_{hashlib.sha256(name.encode()).hexdigest()[:32]}"  # noqa: PLR2004


def plan_meter(session: Session, meter: str, aggregation: str, label: str = "") -> str:
    """Plan a meter at Stripe one time, and return our name of it."""
    own_id = meter_id(meter, aggregation)
    body = {
        "display_name": (label or meter)[:250],
        "event_name": event_name(own_id),
        "default_aggregation": {"formula": own_id.rpartition(":")[2]},
        "customer_mapping": {"type": "by_id", "event_payload_key": "stripe_customer_id"},
        "value_settings": {"event_payload_key": "value"},
    }
    plan(session, "meter", own_id, "/v1/billing/meters", body)
    return own_id


def plan_prices(session: Session, plan_id: UUID, plan_name: str, terms: PlanTerms) -> list[str]:
    """Plan product, meters and prices of terms, each one time, and return our names of the prices."""
    product = {"id": f"iit-plan-{plan_id.hex}", "name": plan_name, "metadata": {"iit": str(plan_id)}}
    plan(session, "product", str(plan_id), "/v1/products", product)
    interval: dict[str, Any] = {"interval": "month", "interval_count": _MONTHS[terms.interval]}
    shared: dict[str, Any] = {
        "currency": terms.currency.lower(),
        "product": reference("product", plan_id),
        "recurring": interval,
    }
    fees = [("base fee", terms.base_fee), *((each.label, each.fee) for each in terms.add_ons.values())]
    bodies: list[dict[str, Any]] = [
        {**shared, "nickname": label, "unit_amount_decimal": unit_price(fee, terms.currency)}
        for label, fee in fees
        if fee
    ]
    for meter in terms.meters:
        own_id = plan_meter(session, meter.meter, meter.aggregation, meter.label)
        recurring = {**interval, "usage_type": "metered", "meter": reference("meter", own_id)}
        bodies.append({**shared, "recurring": recurring, **price_fields(meter, terms.currency)})
    names = []
    for body in bodies:
        name = "iit-" + hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:40]
        plan(session, "price", name, "/v1/prices", {**body, "lookup_key": name})
        names.append(name)
    return names


def price_fields(terms: MeterTerms, currency: str) -> dict[str, Any]:
    """Return the fields of a price that express the charge of a meter."""
    label = terms.label or terms.meter
    fields: dict[str, Any] | None = None
    match terms.charge:
        case PerUnit(unit_price=price) if not terms.included:
            fields = {"unit_amount_decimal": unit_price(price, currency)}
        case PerUnit(unit_price=price):
            fields = _tiers([(None, price, _ZERO)], terms.included, "graduated", currency)
        case GraduatedCharge(tiers=tiers):
            fields = _tiers(_rows(tiers), terms.included, "graduated", currency)
        case Volume(tiers=tiers) if not terms.included:
            fields = _tiers(_rows(tiers), _ZERO, "volume", currency)
        case Package(size=size, price=price) if not terms.included and _is_whole(size):
            transform = {"divide_by": int(size), "round": "up"}
            fields = {"unit_amount_decimal": unit_price(price, currency), "transform_quantity": transform}
    if fields is None:
        return {"nickname": f"{label} ({_BY_OUR_INVOICE})", "unit_amount_decimal": "0"}
    return {"nickname": label, **fields}


_Row = tuple[Decimal | None, Decimal, Decimal]


def _rows(tiers: tuple[Tier, ...]) -> list[_Row]:
    return [(tier.up_to, tier.unit_price, tier.flat) for tier in tiers]


def _tiers(rows: list[_Row], included: Decimal, mode: str, currency: str) -> dict[str, Any] | None:
    """Return tiers that begin after the included quantity; None if a bound is no whole number."""
    shifted: list[_Row] = [(None if up_to is None else up_to + included, *rest) for up_to, *rest in rows]  # type: ignore[misc]  # two prices
    everything = [(included, _ZERO, _ZERO), *shifted] if included else shifted
    if not all(up_to is None or _is_whole(up_to) for up_to, _, _ in everything):
        return None
    tiers = []
    for up_to, price, flat in everything:
        tier: dict[str, Any] = {"up_to": "inf" if up_to is None else int(up_to)}
        tier["unit_amount_decimal"] = unit_price(price, currency)
        if flat:
            tier["flat_amount_decimal"] = unit_price(flat, currency)
        tiers.append(tier)
    return {"billing_scheme": "tiered", "tiers_mode": mode, "tiers": tiers}


def _is_whole(quantity: Decimal) -> bool:
    return quantity == quantity.to_integral_value()
