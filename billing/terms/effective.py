"""The terms of one partner: those of a plan's version, with the partner's add-ons and overrides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from billing.terms.charges import Charge, Price, Quantity
from billing.terms.plan import AddOn, Days, DunningStep, MeterTerms, PlanTerms


class MeterChange(BaseModel):
    """What one partner's terms change of a meter. A meter that the plan does not charge needs all of ``MeterTerms``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str | None = Field(default=None, description="What the partner's pages and invoices call it.")
    aggregation: str | None = Field(default=None, description="How uses become the quantity of a period.")
    charge: Charge | None = Field(default=None, description="The prices.")
    included: Quantity | None = Field(default=None, description="Units of a period that the base fee includes.")
    soft_cap: Quantity | None = Field(default=None, description="Units of a period after which admins are warned.")
    hard_cap: Quantity | None = Field(default=None, description="Units of a period after which the extra stops.")


class Overrides(BaseModel):
    """What one partner's terms change of a plan. Currency and period are those of the plan."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_fee: Price | None = Field(default=None, description="The fee of a period.")
    meters: dict[str, MeterChange] = Field(default_factory=dict, description="What changes, by meter.")
    grace_days: int | None = Field(
        default=None, ge=0, le=31, description="Days that late use has before the invoice is issued."
    )
    due_days: Days | None = Field(default=None, description="Days from the issue to the due day.")
    dunning: tuple[DunningStep, ...] | None = Field(default=None, description="What happens when it is overdue.")


def effective_terms(terms: PlanTerms, add_ons: Sequence[str], overrides: Overrides | None = None) -> PlanTerms:
    """Return the terms of a partner; ``add_ons`` of the result are those that the partner has.

    An add-on's meter replaces the plan's terms of that meter; then the overrides change single values.

    Raises:
        ValueError: the plan has no such add-on, or the overrides give an invalid plan.
    """
    if unknown := sorted(set(add_ons) - set(terms.add_ons)):
        message = f"the plan has no add-on {', '.join(unknown)}: it has {', '.join(sorted(terms.add_ons)) or 'none'}"
        raise ValueError(message)
    changes = overrides or Overrides()
    active: dict[str, AddOn] = {code: terms.add_ons[code] for code in sorted(set(add_ons))}
    meters = _merged(terms.meters, *(add_on.meters for add_on in active.values()))
    for name, change in changes.meters.items():
        before: dict[str, Any] = meters[name].model_dump() if name in meters else {"meter": name}
        meters[name] = MeterTerms.model_validate({**before, **change.model_dump(exclude_none=True)})
    single = changes.model_dump(exclude_none=True, exclude={"meters", "dunning"})
    values = {
        **{name: getattr(terms, name) for name in PlanTerms.model_fields},
        **single,
        "add_ons": {code: AddOn(label=add_on.label, fee=add_on.fee) for code, add_on in active.items()},
        "meters": tuple(meters.values()),
        "dunning": terms.dunning if changes.dunning is None else changes.dunning,
    }
    return PlanTerms.model_validate(values)


def _merged(*lists: Iterable[MeterTerms]) -> dict[str, MeterTerms]:
    return {terms.meter: terms for meters in lists for terms in meters}


def fees(terms: PlanTerms) -> list[tuple[str | None, Decimal]]:
    """Return the fees of a whole period that are above 0: the base fee under None, and each add-on under its code."""
    pairs: list[tuple[str | None, Decimal]] = [(None, terms.base_fee)]
    pairs.extend((code, add_on.fee) for code, add_on in terms.add_ons.items())
    return [(code, fee) for code, fee in pairs if fee]
