"""Terms of plans: money, charges, periods and shares of periods. Pure: no database and no clock."""

from billing.terms.charges import Charge, GraduatedCharge, Package, PerUnit, Step, Tier, Volume, charge_total, price
from billing.terms.effective import MeterChange, Overrides, effective_terms
from billing.terms.money import Money, checked_currency, exponent, is_amount, is_currency, rounded
from billing.terms.periods import Period, bounds, period_of
from billing.terms.plan import AddOn, DunningStep, MeterTerms, PlanTerms
from billing.terms.rating import Fee, fee_amount, is_additive, usage_steps

__all__ = [
    "AddOn",
    "Charge",
    "DunningStep",
    "Fee",
    "GraduatedCharge",
    "MeterChange",
    "MeterTerms",
    "Money",
    "Overrides",
    "Package",
    "PerUnit",
    "Period",
    "PlanTerms",
    "Step",
    "Tier",
    "Volume",
    "bounds",
    "charge_total",
    "checked_currency",
    "effective_terms",
    "exponent",
    "fee_amount",
    "is_additive",
    "is_amount",
    "is_currency",
    "period_of",
    "price",
    "rounded",
    "usage_steps",
]
