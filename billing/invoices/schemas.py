"""What the API says about plans of a partner, invoices, credits and payments. Amounts are decimals, as text."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from billing.terms import PlanTerms
from core.web.days import IsoDay

if TYPE_CHECKING:
    from billing.invoices.credits import CreditState
    from billing.invoices.effects import Effect
    from billing.invoices.lines import Line
    from billing.invoices.models import Invoice, InvoiceLine
    from billing.invoices.preview import Preview
    from billing.invoices.repository import InvoiceState

State = Literal["draft", "final", "paid", "overdue", "void"]

_LINE: dict[str, Any] = {
    "position": 2,
    "kind": "usage",
    "description": "SMS segments",
    "code": None,
    "meter": "sms_segments",
    "aggregation": "sum",
    "quantity": "350",
    "first_day": "2027-02-01",
    "last_day": "2027-02-28",
    "days": 28,
    "of_days": 28,
    "steps": [{"quantity": "250", "unit_price": "0.10", "flat": "0", "amount": "25.00"}],
    "amount": "25.00",
}
_INVOICE: dict[str, Any] = {
    "id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2d41",
    "kind": "invoice",
    "number": "INV-2027-000042",
    "state": "final",
    "currency": "USD",
    "first_day": "2027-02-01",
    "last_day": "2027-02-28",
    "subtotal": "305.00",
    "tax": "22.88",
    "total": "327.88",
    "owed": "327.88",
    "issued_on": "2027-03-04",
    "due_on": "2027-04-03",
    "paid_on": None,
    "corrects_id": None,
    "reason": "",
}


_TERMS: dict[str, Any] = {
    "currency": "USD",
    "interval": "month",
    "alignment": "calendar",
    "base_fee": "280.00",
    "meters": [],
    "trial_days": 0,
    "add_ons": {},
    "grace_days": 3,
    "due_days": 30,
    "dunning": [{"after_days": 3, "action": "reminder"}],
}
_PLAN: dict[str, Any] = {"plan": "Standard", "started_on": "2027-01-01", "ends_on": None, "terms": _TERMS}
_PREVIEW: dict[str, Any] = {
    "currency": "USD",
    "first_day": "2027-02-01",
    "last_day": "2027-02-28",
    "complete_until": "2027-02-14T08:15:00Z",
    "total": "25.00",
    "forecast_total": "50.00",
    "lines": [_LINE],
    "forecast": [_LINE],
}
_CREDIT: dict[str, Any] = {
    "id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c35",
    "currency": "USD",
    "amount": "100.00",
    "left": "60.00",
    "priority": 50,
    "granted_on": "2027-01-01",
    "expires_on": "2027-12-31",
    "reason": "Start",
}
_EFFECT: dict[str, Any] = {
    "tenant": "lakeside",
    "plan": "Standard, 1",
    "before": "305.00",
    "currency": "USD",
    "after": "295.00",
    "currency_after": "USD",
    "problem": "",
}
_USE: dict[str, Any] = {
    "id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c36",
    "key": "sms-4711",
    "value": "2",
    "occurred_at": "2027-02-03T08:15:00Z",
    "recorded_at": "2027-02-03T08:15:00Z",
    "dimensions": {"purpose": "reminder"},
}


class StepOut(BaseModel):
    """A step of a price."""

    quantity: Decimal = Field(description="Units of the step.")
    unit_price: Decimal = Field(description="Price of each.")
    flat: Decimal = Field(description="Charged one time for the step.")
    amount: Decimal = Field(description="Exact; only the line is rounded.")


class LineOut(BaseModel):
    """A line of a document."""

    model_config = ConfigDict(json_schema_extra={"example": _LINE})

    position: int = Field(description="Place of the line, from 1.")
    kind: str = Field(description="`base`, `add_on`, `usage`, `late_use`, `credit`, `carried`, `tax` or `correction`.")
    description: str = Field(description="What it is for.")
    code: str | None = Field(description="The add-on.")
    meter: str | None = Field(description="The meter.")
    aggregation: str | None = Field(description="How uses make the quantity.")
    quantity: Decimal | None = Field(description="In the unit of the meter.")
    first_day: date | None = Field(description="First day of the use.")
    last_day: date | None = Field(description="Last day of the use.")
    days: int | None = Field(description="Days that are charged.")
    of_days: int | None = Field(description="Days of the whole period.")
    steps: list[StepOut] = Field(description="How the price of the quantity came about.")
    amount: Decimal = Field(description="In the currency of the document.")

    @classmethod
    def of(cls, line: Line | InvoiceLine, position: int) -> Self:
        """The line at a position."""
        last_day = None if line.end is None else date.fromordinal(line.end.toordinal() - 1)
        return cls(
            position=position,
            kind=line.kind,
            description=line.description,
            code=line.code,
            meter=line.meter,
            aggregation=line.aggregation,
            quantity=line.quantity,
            first_day=line.start,
            last_day=last_day,
            days=line.days,
            of_days=line.of_days,
            steps=[StepOut.model_validate(step) for step in line.steps],
            amount=line.amount,
        )


class InvoiceOut(BaseModel):
    """An invoice, an invoice for late use, or a credit note."""

    model_config = ConfigDict(json_schema_extra={"example": _INVOICE})

    id: UUID = Field(description="The document.")
    kind: Literal["invoice", "late_use", "credit_note"] = Field(description="What it is.")
    number: str = Field(description="Its number; `draft` for a draft.")
    state: State = Field(description="`overdue`: its due date is past, and something is owed.")
    currency: str = Field(description="ISO 4217.")
    first_day: date = Field(description="First day of its period.")
    last_day: date = Field(description="Last day of its period.")
    subtotal: Decimal = Field(description="Without tax.")
    tax: Decimal = Field(description="Tax.")
    total: Decimal = Field(description="With tax.")
    owed: Decimal = Field(description="Still to pay; below 0: paid too much.")
    issued_on: date | None = Field(description="When it was issued; null for a draft.")
    due_on: date | None = Field(description="When it is due.")
    paid_on: date | None = Field(description="When nothing was owed any more.")
    corrects_id: UUID | None = Field(description="The invoice that a credit note corrects.")
    reason: str = Field(description="Why a credit note was issued.")

    @classmethod
    def of(cls, row: InvoiceState, today: date) -> Self:
        """A document as of a day."""
        return cls.model_validate(invoice_values(row, today))


def invoice_values(row: InvoiceState, today: date) -> dict[str, Any]:
    """Return the values of ``InvoiceOut``."""
    invoice: Invoice = row.invoice
    names = ("id", "kind", "currency", "subtotal", "tax", "total", "issued_on", "due_on", "paid_on", "reason")
    return {
        **{name: getattr(invoice, name) for name in names},
        "number": invoice.label,
        "state": row.state(today),
        "first_day": invoice.period_start,
        "last_day": date.fromordinal(invoice.period_end.toordinal() - 1),
        "owed": row.owed,
        "corrects_id": invoice.corrects,
    }


class InvoiceDetail(InvoiceOut):
    """A document with its lines."""

    model_config = ConfigDict(json_schema_extra={"example": {**_INVOICE, "lines": [_LINE]}})

    lines: list[LineOut] = Field(description="Their amounts add up to the total.")


class PlanOut(BaseModel):
    """The plan of the partner."""

    model_config = ConfigDict(json_schema_extra={"example": _PLAN})

    plan: str = Field(description="Its name.")
    started_on: date = Field(description="First day of the subscription.")
    ends_on: date | None = Field(description="First day that it does not cover; null while it runs.")
    terms: PlanTerms = Field(description="The terms of today, with the partner's add-ons and overrides.")


class PreviewOut(BaseModel):
    """The running period: what its use costs so far, and a forecast. Both without credits and taxes."""

    model_config = ConfigDict(json_schema_extra={"example": _PREVIEW})

    currency: str = Field(description="ISO 4217.")
    first_day: date = Field(description="First day of the period.")
    last_day: date = Field(description="Last day of the period.")
    complete_until: datetime = Field(description="Use recorded before it is counted.")
    total: Decimal = Field(description="So far, with the fees of the whole period.")
    forecast_total: Decimal = Field(description="An estimate: if use goes on at the same rate.")
    lines: list[LineOut] = Field(description="So far.")
    forecast: list[LineOut] = Field(description="An estimate.")

    @classmethod
    def of(cls, preview: Preview) -> Self:
        """The answer of a preview."""
        return cls(
            currency=preview.period.currency,
            first_day=preview.period.days.start,
            last_day=preview.period.days.last,
            complete_until=preview.complete_until,
            total=preview.total,
            forecast_total=preview.forecast_total,
            lines=[LineOut.of(line, position) for position, line in enumerate(preview.lines, 1)],
            forecast=[LineOut.of(line, position) for position, line in enumerate(preview.forecast, 1)],
        )


class CreditOut(BaseModel):
    """A credit, which pays for use before money does."""

    model_config = ConfigDict(json_schema_extra={"example": _CREDIT})

    id: UUID = Field(description="The credit.")
    currency: str = Field(description="ISO 4217.")
    amount: Decimal = Field(description="What was granted.")
    left: Decimal = Field(description="What is not used yet.")
    priority: int = Field(description="Credits with a smaller number are used first.")
    granted_on: date = Field(description="Day of the grant.")
    expires_on: date | None = Field(description="First day for which it does not pay; null: it never expires.")
    reason: str = Field(description="Why it was granted.")

    @classmethod
    def of(cls, state: CreditState) -> Self:
        """The answer of a credit."""
        return cls.model_validate({**state.credit.model_dump(), "left": state.left})


class PlanEffectOut(BaseModel):
    """What other terms of a plan mean for a partner: its running period with the same use, without credits and tax."""

    model_config = ConfigDict(json_schema_extra={"example": _EFFECT})

    tenant: str = Field(description="Short name of the tenant.")
    plan: str = Field(description="Name and version of its plan of today.")
    before: Decimal = Field(description="Forecast by the terms of today.")
    currency: str = Field(description="Of `before`, ISO 4217.")
    after: Decimal | None = Field(description="Forecast by the other terms; null if they do not fit the partner.")
    currency_after: str = Field(description="Of `after`, ISO 4217.")
    problem: str = Field(description="Why the terms do not fit its add-ons or overrides; empty if they do.")

    @classmethod
    def of(cls, effect: Effect) -> Self:
        """The answer of an effect."""
        return cls(
            tenant=effect.tenant.slug,
            plan=effect.plan,
            before=effect.before,
            currency=effect.currency,
            after=effect.after,
            currency_after=effect.currency_after,
            problem=effect.problem,
        )


class PlanEffects(BaseModel):
    """What other terms mean for the partners of a plan."""

    model_config = ConfigDict(json_schema_extra={"example": {"effects": [_EFFECT]}})

    effects: list[PlanEffectOut] = Field(description="One for each partner of the plan that has a subscription today.")


class UseOut(BaseModel):
    """A use behind a line."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _USE})

    id: UUID = Field(description="The use.")
    key: str = Field(description="Its name, such as the id of an import.")
    value: Decimal = Field(description="In the unit of the meter; below 0 where it corrects another use.")
    occurred_at: datetime = Field(description="When it was used.")
    recorded_at: datetime = Field(description="When it was recorded.")
    dimensions: dict[str, str] = Field(description="By which it can be divided.")


class PaymentIn(BaseModel):
    """Money received for an invoice, or returned (below 0)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "amount": "327.88",
                "received_on": "2027-03-20",
                "method": "bank_transfer",
                "reference": "BANK-123",
            }
        },
    )

    amount: Decimal = Field(description="In the currency of the invoice.")
    received_on: IsoDay = Field(description="Day of the money.")
    method: str = Field(default="bank_transfer", min_length=1, max_length=40, description="How it came.")
    reference: str = Field(min_length=1, max_length=200, description="Names it; the same one counts one time.")


class CreditIn(BaseModel):
    """A credit to grant."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "amount": "100.00",
                "currency": "USD",
                "priority": 50,
                "expires_on": "2027-12-31",
                "reason": "Start",
            }
        },
    )

    amount: Decimal = Field(gt=0, description="In the decimals of the currency.")
    currency: str = Field(pattern="^[A-Z]{3}$", description="ISO 4217.")
    priority: int = Field(default=50, ge=0, le=100, description="Credits with a smaller number are used first.")
    expires_on: IsoDay | None = Field(default=None, description="First day for which it does not pay.")
    reason: str = Field(min_length=1, max_length=200, description="On the invoice. Name no person.")


class CreditRevocationIn(BaseModel):
    """Why to revoke what is left of a credit."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "Granted to the wrong partner"}})

    reason: str = Field(min_length=1, max_length=200, description="For the audit. Name no person.")


class CreditNoteIn(BaseModel):
    """A credit note to issue."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"amount": "50.00", "reason": "Half a day without service"}}
    )

    amount: Decimal | None = Field(default=None, gt=0, description="Without tax; null: all that is left to correct.")
    reason: str = Field(min_length=1, max_length=200, description="On the credit note. Name no person.")


class VoidIn(BaseModel):
    """Why to cancel an invoice."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "The tax number was wrong"}})

    reason: str = Field(min_length=1, max_length=200, description="For the audit. Name no person.")
