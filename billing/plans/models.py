"""Tables of plans, accounts and subscriptions. They outlive their tenant: what was charged must stay explainable."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    Numeric,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)
LEDGER: dict[str, Any] = {"app": "SELECT, INSERT", "guard": "reject_change", "outlives_tenant": True}
"""Rights of a table whose rows never change. A trigger stops the owner's login too."""


class Plan(PlatformBase, table=True):
    """A plan. Its terms are in its versions."""

    __tablename__: ClassVar[str] = "plans"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("code ~ '^[a-z][a-z0-9_-]{0,39}$'", name="code"),
        {"info": {"app": "SELECT, INSERT"}},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    code: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)


class PlanVersion(PlatformBase, table=True):
    """A version of a plan's terms. It never changes; other terms are the next version.

    Attributes:
        number: from 1, within the plan.
        terms: ``billing.terms.PlanTerms`` as JSON.
        note: why it differs from the version before it.
    """

    __tablename__: ClassVar[str] = "plan_versions"
    __table_args__ = (UniqueConstraint("plan_id", "number"), {"info": LEDGER})

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    plan_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.plans.id"), nullable=False))
    number: int = Field(sa_type=Integer)
    terms: dict[str, Any] = Field(sa_type=JSONB)
    note: str = Field(default="", sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)


class BillingAccount(PlatformBase, table=True):
    """Whom and how to invoice for a tenant. Its row is the lock of everything that is charged to the tenant.

    Attributes:
        email: receives invoices, reminders and notices.
        tax_name: the tax as invoices print it, such as ``VAT``.
        tax_rate: percent.
        tax_exemption: why no tax is charged, as invoices print it; None where tax is charged.
        due_days: days from an invoice to its due date; None for those of the plan.
        provider: ``manual`` (bank transfer, marked as paid) or ``stripe``.
        time_zone: IANA name; decides on which day use and invoices fall.
        extras_off: whether dunning has stopped the extras until overdue invoices are paid.
    """

    __tablename__: ClassVar[str] = "billing_accounts"
    __table_args__ = (
        CheckConstraint("provider IN ('manual', 'stripe')", name="provider"),
        CheckConstraint("tax_rate >= 0 AND tax_rate <= 100", name="tax_rate"),
        CheckConstraint("due_days BETWEEN 0 AND 366", name="due_days"),
        {"info": {"app": "SELECT, INSERT, UPDATE", "outlives_tenant": True}},
    )

    tenant_id: UUID = Field(primary_key=True)
    legal_name: str = Field(sa_type=Text)
    address: str = Field(default="", sa_type=Text)
    email: str | None = Field(default=None, sa_type=Text)
    tax_name: str = Field(default="VAT", sa_type=Text)
    tax_rate: Decimal = Field(default=Decimal(0), sa_type=Numeric)
    tax_exemption: str | None = Field(default=None, sa_type=Text)
    tax_id: str | None = Field(default=None, sa_type=Text)
    purchase_order: str | None = Field(default=None, sa_type=Text)
    due_days: int | None = Field(default=None, sa_type=Integer)
    provider: str = Field(default="manual", sa_type=Text)
    time_zone: str = Field(sa_type=Text)
    extras_off: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    updated_at: datetime = Field(default_factory=now, sa_type=STAMP)
    updated_by: str = Field(sa_type=Text)


class Subscription(PlatformBase, table=True):
    """A tenant's use of plans from a day on. Which terms apply on a day is in its changes.

    Attributes:
        ends_on: the first day that it does not cover; None while it runs.
        invoiced_until: the first day without an issued invoice. Terms of earlier days never change.
    """

    __tablename__: ClassVar[str] = "subscriptions"
    __table_args__ = (
        UniqueConstraint("tenant_id", "started_on"),
        CheckConstraint("ends_on > started_on", name="ends_on"),
        {
            "info": {
                "app": "SELECT, INSERT, UPDATE (ends_on, invoiced_until)",
                "guard": "guard_subscription",
                "outlives_tenant": True,
            }
        },
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    tenant_id: UUID
    started_on: date
    ends_on: date | None = None
    invoiced_until: date | None = None
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)


class SubscriptionChange(PlatformBase, table=True):
    """The terms of a subscription from a day on. A later change of the same day replaces an earlier one.

    Attributes:
        number: from 1, within the subscription.
        effective_on: the first day of the terms; it may lie ahead.
        add_ons: codes of the plan's add-ons that the tenant has.
        overrides: ``billing.terms.Overrides`` as JSON.
    """

    __tablename__: ClassVar[str] = "subscription_changes"
    __table_args__ = (UniqueConstraint("subscription_id", "number"), {"info": LEDGER})

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    subscription_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.subscriptions.id"), nullable=False))
    number: int = Field(sa_type=Integer)
    effective_on: date
    plan_version_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.plan_versions.id"), nullable=False))
    add_ons: list[str] = Field(default_factory=list, sa_type=JSONB)
    overrides: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    reason: str = Field(default="", sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)
