"""What callers send, and what the API answers, about plans, accounts and subscriptions."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from billing.terms import Overrides, PlanTerms
from core.clock.time import zone
from core.web.days import IsoDay

if TYPE_CHECKING:
    from billing.plans.models import Plan, PlanVersion

Text = Annotated[str, Field(max_length=500)]
Codes = Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=50)]

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
_NAMED: dict[str, Any] = {"code": "standard", "name": "Standard"}
_VERSION: dict[str, Any] = {
    "version": 2,
    "version_id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c37",
    "terms": _TERMS,
    "note": "SMS cost less",
    "created_at": "2026-12-01T08:15:00Z",
    "created_by": "person:019c2292-11f9-71c2-9d0e-0b6f5f6f2c38",
}
_ACCOUNT: dict[str, Any] = {
    "tenant_id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c39",
    "legal_name": "Lakeside Health Initiative",
    "address": "12 Marina Road, Lagos",
    "email": "accounts@lakeside.example",
    "tax_name": "VAT",
    "tax_rate": "7.5",
    "tax_exemption": None,
    "tax_id": "12345678-0001",
    "purchase_order": "PO-77",
    "due_days": None,
    "provider": "manual",
    "time_zone": "Africa/Lagos",
    "extras_off": False,
    "updated_at": "2026-12-01T08:15:00Z",
    "updated_by": "person:019c2292-11f9-71c2-9d0e-0b6f5f6f2c38",
}
_CHANGE: dict[str, Any] = {
    "effective_on": "2027-01-01",
    "plan": "Standard",
    "version_id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c37",
    "terms": _TERMS,
}
_SUBSCRIPTION: dict[str, Any] = {
    "id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c40",
    "started_on": "2027-01-01",
    "ends_on": None,
    "invoiced_until": "2027-03-01",
    "changes": [_CHANGE],
}


class AccountChange(BaseModel):
    """Values of a billing account. What is absent stays as it is; null removes a value that may be absent."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"email": "accounts@lakeside.example", "tax_rate": "7.5"}}
    )

    legal_name: Annotated[str, Field(min_length=1, max_length=200)] = Field(default="", description="Whom to invoice.")
    address: Text = Field(default="", description="Postal address, as invoices print it.")
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] | None = Field(
        default=None, description="Receives invoices, reminders and notices."
    )
    tax_name: Annotated[str, Field(min_length=1, max_length=40)] = Field(default="VAT", description="Name of the tax.")
    tax_rate: Annotated[Decimal, Field(ge=0, le=100, decimal_places=4)] = Field(
        default=Decimal(0), description="Percent."
    )
    tax_exemption: Text | None = Field(default=None, description="Why no tax is charged; null: it is charged.")
    tax_id: Text | None = Field(default=None, description="The partner's tax number.")
    purchase_order: Text | None = Field(default=None, description="Printed on invoices.")
    due_days: Annotated[int, Field(ge=0, le=366)] | None = Field(default=None, description="Null: those of the plan.")
    provider: Literal["manual", "stripe"] = Field(default="manual", description="How payments arrive.")
    time_zone: str = Field(default="UTC", description="IANA name; decides on which day use falls.")

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        zone(value)
        return value


class PlanVersionIn(BaseModel):
    """Terms of the next version of a plan."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"terms": _TERMS, "name": "Standard", "note": "SMS cost less"}},
    )

    terms: PlanTerms = Field(description="All terms; they replace those of the version before.")
    name: Annotated[str, Field(max_length=200)] = Field(default="", description="Of a new plan; its code when empty.")
    note: Text = Field(default="", description="Why the terms differ from the version before. Name no person.")


class PlanSummary(BaseModel):
    """A plan with its newest version."""

    model_config = ConfigDict(json_schema_extra={"example": {**_NAMED, **_VERSION}})

    code: str = Field(description="Names the plan.")
    name: str = Field(description="Its name, as partners read it.")
    version: int = Field(description="Number of the version, from 1.")
    version_id: UUID = Field(description="The version. It never changes.")
    terms: PlanTerms = Field(description="Its terms.")
    note: str = Field(description="Why they differ from the version before.")
    created_at: datetime = Field(description="When the version was created.")
    created_by: str = Field(description="Who created it.")

    @classmethod
    def of(cls, plan: Plan, version: PlanVersion) -> Self:
        """The answer of a version."""
        return cls(
            code=plan.code,
            name=plan.name,
            version=version.number,
            version_id=version.id,
            terms=PlanTerms.model_validate(version.terms),
            note=version.note,
            created_at=version.created_at,
            created_by=version.created_by,
        )


class PlanVersions(BaseModel):
    """A plan with all its versions."""

    model_config = ConfigDict(json_schema_extra={"example": {**_NAMED, "versions": [{**_NAMED, **_VERSION}]}})

    code: str = Field(description="Names the plan.")
    name: str = Field(description="Its name, as partners read it.")
    versions: list[PlanSummary] = Field(description="Newest first.")


class AccountOut(BaseModel):
    """A billing account: whom and how to invoice."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _ACCOUNT})

    tenant_id: UUID = Field(description="The tenant.")
    legal_name: str = Field(description="Whom to invoice.")
    address: str = Field(description="Postal address, as invoices print it.")
    email: str | None = Field(description="Receives invoices, reminders and notices.")
    tax_name: str = Field(description="Name of the tax.")
    tax_rate: Decimal = Field(description="Percent.")
    tax_exemption: str | None = Field(description="Why no tax is charged; null: it is charged.")
    tax_id: str | None = Field(description="The partner's tax number.")
    purchase_order: str | None = Field(description="Printed on invoices.")
    due_days: int | None = Field(description="Days from an invoice to its due date; null: those of the plan.")
    provider: str = Field(description="How payments arrive: `manual` or `stripe`.")
    time_zone: str = Field(description="IANA name; decides on which day use falls.")
    extras_off: bool = Field(description="Whether extras are stopped until overdue invoices are paid.")
    updated_at: datetime = Field(description="When it last changed.")
    updated_by: str = Field(description="Who changed it.")


class SubscriptionIn(BaseModel):
    """A subscription to start."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "plan": "standard@2",
                "starts_on": "2027-01-01",
                "add_ons": ["support"],
                "overrides": {"base_fee": "250.00"},
                "reason": "Offer of 2026",
            }
        },
    )

    plan: Annotated[str, Field(min_length=1, max_length=60)] = Field(
        description="A code, for the newest version, or `code@version`."
    )
    starts_on: IsoDay = Field(description="First day.")
    add_ons: Codes = Field(default_factory=list, description="Codes of add-ons of the plan.")
    overrides: Overrides = Field(default_factory=Overrides, description="What differs for this partner.")
    reason: Text = Field(default="", description="Why. Name no person.")


class SubscriptionChangeIn(BaseModel):
    """Terms from a day on. What is null stays as it is on that day."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "effective_on": "2027-04-01",
                "plan": "standard",
                "add_ons": [],
                "overrides": {"meters": {"sms_segments": {"included": "500"}}},
                "reason": "More SMS",
            }
        },
    )

    effective_on: IsoDay = Field(description="First day of the terms; it may lie ahead.")
    plan: Annotated[str, Field(min_length=1, max_length=60)] | None = Field(
        default=None, description="A code, for the newest version, or `code@version`."
    )
    add_ons: Codes | None = Field(default=None, description="Replaces all add-ons.")
    overrides: Overrides | None = Field(default=None, description="Replaces all overrides.")
    reason: Text = Field(default="", description="Why. Name no person.")


class SubscriptionEndIn(BaseModel):
    """The end of a subscription."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"ends_on": "2027-07-01", "reason": "The project ends"}}
    )

    ends_on: IsoDay = Field(description="First day that it does not cover. An end that lies ahead may move.")
    reason: Text = Field(default="", description="Why. Name no person.")


class SubscriptionTermsOut(BaseModel):
    """The terms of a subscription from a day on."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _CHANGE})

    effective_on: date = Field(description="First day of the terms; it may lie ahead.")
    plan: str = Field(description="Name of the plan.")
    version_id: UUID = Field(description="Version of the plan.")
    terms: PlanTerms = Field(description="With the partner's add-ons and overrides.")


class SubscriptionOut(BaseModel):
    """A subscription with its terms over time."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _SUBSCRIPTION})

    id: UUID = Field(description="The subscription.")
    started_on: date = Field(description="First day.")
    ends_on: date | None = Field(description="First day that it does not cover; null while it runs.")
    invoiced_until: date | None = Field(description="Terms of earlier days never change.")
    changes: list[SubscriptionTermsOut] = Field(description="In the order of their days, those that lie ahead too.")
