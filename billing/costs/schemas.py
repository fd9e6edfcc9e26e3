"""What the API says about costs."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from billing.costs.budgets import HIGHEST, MOST_THRESHOLDS, THRESHOLDS
from billing.costs.rates import Rates

_RATES: dict[str, Any] = {
    "vcpu_hour": "0.04",
    "database_gb_month": "0.25",
    "blob_gb_month": "0.025",
    "sms_segment": {"": "0.03", "termii": "0.004"},
    "exchange": {"NGN": "1550"},
}
_TABLE: dict[str, Any] = {"number": 3, "effective_on": "2026-11-01", "rates": _RATES, "note": "Contract of 2026-10-20."}
_TENANT: dict[str, Any] = {
    "tenant": "lakeside",
    "name": "Lakeside Care",
    "amount": "41.27",
    "by_resource": {"compute": "12.40", "database": "18.02", "files": "0.35", "sms": "6.32", "language_model": "4.18"},
    "by_feature": {"risk": "7.90", "imports": "2.15", "storage": "18.37", "messages": "6.32", "knowledge": "4.18"},
    "predictions": 61200,
    "per_prediction": "0.000129",
    "invoiced": "250.00",
    "margin": "208.73",
}
_BUDGET: dict[str, Any] = {"tenant": "lakeside", "amount": "100", "thresholds": [50, 80, 100, 120]}
_NOTICE: dict[str, Any] = {
    "id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2d63",
    "kind": "unusual_day",
    "tenant": "lakeside",
    "day": "2026-11-28",
    "threshold": 0,
    "amount": "9.80",
    "expected": "1.35",
    "created_at": "2026-11-29T00:20:00Z",
}
Dollars = Annotated[Decimal, Field(gt=0, lt=10**12, description="US dollars a month.", examples=["100"])]


class RatesOut(Rates):
    """The prices of a version, in US dollars."""

    model_config = ConfigDict(from_attributes=True)


class CostTableOut(BaseModel):
    """A version of the prices of resources."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _TABLE})

    number: int = Field(description="Its number; 0 for the prices that the software brings.")
    effective_on: date | None = Field(description="The first day (UTC) that it prices; null for all days.")
    rates: RatesOut = Field(description="The prices, in US dollars.")
    note: str = Field(description="Where the prices come from.")


class CostTables(BaseModel):
    """All versions."""

    model_config = ConfigDict(json_schema_extra={"example": {"tables": [_TABLE]}})

    tables: list[CostTableOut] = Field(description="The newest first. It counts, if a day has several.")


class CostTableIn(BaseModel):
    """New prices."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"rates": _RATES, "note": _TABLE["note"]}})

    rates: Rates = Field(description="The prices, in US dollars.")
    note: str = Field(max_length=500, description="Where the prices come from.")


class TenantCostsOut(BaseModel):
    """What one partner cost in the period, in US dollars."""

    model_config = ConfigDict(json_schema_extra={"example": _TENANT})

    tenant: str | None = Field(description="Short name of the partner; null if it was deleted.", examples=["lakeside"])
    name: str = Field(description="Its name.", examples=["Lakeside Care"])
    amount: Decimal = Field(description="The whole cost.", examples=["41.27"])
    by_resource: dict[str, Decimal] = Field(description="By resource: compute, database, files, sms, language_model.")
    by_feature: dict[str, Decimal] = Field(description="By the feature that used the resources.")
    predictions: int = Field(description="People who got a score.")
    per_prediction: Decimal | None = Field(description="Cost of the feature `risk` for each; null without one.")
    invoiced: Decimal | None = Field(
        description="Net total of its invoices of the period; null if the cost table lacks their currency's rate."
    )
    margin: Decimal | None = Field(description="`invoiced` less `amount`.")


class CostsOut(BaseModel):
    """What partners cost in a period."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"start": "2026-11-01", "end": "2026-12-01", "tenants": [_TENANT]}}
    )

    start: date = Field(description="The first day (UTC).")
    end: date = Field(description="The first day after the last one.")
    tenants: list[TenantCostsOut] = Field(description="The most expensive first; who costs nothing is left out.")


class BudgetIn(BaseModel):
    """A budget of a month."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _BUDGET})

    tenant: str | None = Field(description="Short name of the partner; null for all together.", examples=["lakeside"])
    amount: Dollars
    thresholds: list[Annotated[int, Field(ge=1, le=HIGHEST)]] = Field(
        default=list(THRESHOLDS),
        min_length=1,
        max_length=MOST_THRESHOLDS,
        description="Percentages at which operators are informed.",
    )


class BudgetNamed(BaseModel):
    """The budget of a partner, or of all together."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"tenant": "lakeside"}})

    tenant: str | None = Field(description="Short name of the partner; null for all together.", examples=["lakeside"])


class BudgetOut(BaseModel):
    """A budget of a month."""

    model_config = ConfigDict(json_schema_extra={"example": _BUDGET})

    tenant: str | None = Field(description="Short name of the partner; null for all together.", examples=["lakeside"])
    amount: Decimal = Field(description="US dollars a month.", examples=["100"])
    thresholds: list[int] = Field(description="Percentages at which operators are informed.")


class Budgets(BaseModel):
    """The present budgets."""

    model_config = ConfigDict(json_schema_extra={"example": {"budgets": [_BUDGET]}})

    budgets: list[BudgetOut] = Field(description="The oldest first.")


class CostNoticeOut(BaseModel):
    """Something about costs that needs a look."""

    model_config = ConfigDict(json_schema_extra={"example": _NOTICE})

    id: UUID = Field(description="Its id.")
    kind: Literal["unusual_day", "budget"] = Field(description="An unusual day, or a budget's threshold.")
    tenant: str | None = Field(description="Short name of the partner; null for all together, or if it was deleted.")
    day: date = Field(description="The unusual day; the first day of the budget's month.")
    threshold: int = Field(description="The percentage of the budget; 0 for an unusual day.")
    amount: Decimal = Field(description="US dollars of the day, or of the month so far.")
    expected: Decimal = Field(description="Median of the days before, or the budget, in US dollars.")
    created_at: datetime = Field(description="When it was noticed.")


class CostNotices(BaseModel):
    """Notices that no operator has seen."""

    model_config = ConfigDict(json_schema_extra={"example": {"notices": [_NOTICE]}})

    notices: list[CostNoticeOut] = Field(description="The newest first, at most 100.")
