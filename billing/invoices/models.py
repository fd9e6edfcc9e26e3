"""Tables of invoices, credits and payments. An issued document never changes; triggers hold that for the owner too."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
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
ZERO = Decimal(0)


class Invoice(PlatformBase, table=True):
    """An invoice, the last invoice for late use, or a credit note.

    Attributes:
        kind: ``invoice`` of a period; ``late_use``: use that arrived after the last period of an ended subscription
            was invoiced; ``credit_note``, whose amounts are below 0.
        state: ``draft`` (computed anew until it is issued), ``final``, ``paid`` or ``void``. An invoice is overdue if
            it is final after ``due_on``.
        series: such as ``INV-2027``; None for a draft.
        number: within the series, from 1 and without gaps.
        as_of: the last batch of rolled-up usage that counts. Computed from it again, the lines are the same.
        account: the account as it was when the invoice was issued.
        issuer: who issues it and how to pay, as it was then.
        subtotal: sum of all lines but the tax.
        corrects: the invoice that a credit note corrects.
    """

    __tablename__: ClassVar[str] = "invoices"
    __table_args__ = (
        UniqueConstraint("series", "number"),
        CheckConstraint("kind IN ('invoice', 'late_use', 'credit_note')", name="kind"),
        CheckConstraint("state IN ('draft', 'final', 'paid', 'void')", name="state"),
        CheckConstraint("(state = 'draft') = (number IS NULL)", name="number"),
        CheckConstraint("(series IS NULL) = (number IS NULL)", name="series"),
        CheckConstraint("(kind = 'credit_note') = (corrects IS NOT NULL)", name="corrects"),
        CheckConstraint("total = subtotal + tax", name="total"),
        Index("ix_invoices_tenant_id", "tenant_id", "id"),
        Index(
            "uq_invoices_period",
            "subscription_id",
            "period_start",
            unique=True,
            postgresql_where=text("kind = 'invoice' AND state <> 'void'"),
        ),
        Index(
            "uq_invoices_late_use",
            "subscription_id",
            "currency",
            unique=True,
            postgresql_where=text("kind = 'late_use' AND state = 'draft'"),
        ),
        Index("ix_invoices_due_on", "due_on", postgresql_where=text("state = 'final'")),
        {"info": {"app": "SELECT, INSERT, UPDATE, DELETE", "guard": "guard_invoice", "outlives_tenant": True}},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    tenant_id: UUID
    subscription_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.subscriptions.id"), nullable=False))
    kind: str = Field(sa_type=Text)
    state: str = Field(default="draft", sa_type=Text)
    series: str | None = Field(default=None, sa_type=Text)
    number: int | None = Field(default=None, sa_type=Integer)
    currency: str = Field(sa_type=Text)
    period_start: date
    period_end: date
    as_of: int = Field(sa_type=BigInteger)
    account: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    issuer: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    subtotal: Decimal = Field(default=ZERO, sa_type=Numeric)
    tax: Decimal = Field(default=ZERO, sa_type=Numeric)
    total: Decimal = Field(default=ZERO, sa_type=Numeric)
    corrects: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("platform.invoices.id"), nullable=True)
    )
    reason: str = Field(default="", sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    issued_at: datetime | None = Field(default=None, sa_type=STAMP)
    issued_by: str | None = Field(default=None, sa_type=Text)
    issued_on: date | None = None
    due_on: date | None = None
    paid_on: date | None = None
    voided_on: date | None = None
    void_reason: str | None = Field(default=None, sa_type=Text)

    @property
    def label(self) -> str:
        """The number as people write it, such as ``INV-2027-000042``; ``draft`` for a draft."""
        return "draft" if self.number is None else f"{self.series}-{self.number:06}"


class InvoiceLine(PlatformBase, table=True):
    """A line of an invoice.

    Attributes:
        kind: ``base``, ``add_on``, ``usage``, ``late_use``, ``credit``, ``carried`` (an amount below 0 that becomes a
            credit), ``tax`` or ``correction`` (of a credit note).
        code: the add-on.
        start: first day of the part of the period.
        end: first day after it.
        days: the days of the part, of ``of_days`` in the whole period.
        steps: how the price of the quantity came about, a list of ``billing.terms.Step`` as JSON.
        quantity: in the meter's unit; of ``late_use``, what came after the earlier invoices.
        reference: the credit of a ``credit`` line.
    """

    __tablename__: ClassVar[str] = "invoice_lines"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('base', 'add_on', 'usage', 'late_use', 'credit', 'carried', 'tax', 'correction')", name="kind"
        ),
        {"info": {"app": "SELECT, INSERT, DELETE", "guard": "guard_invoice_line"}},
    )

    invoice_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.invoices.id"), primary_key=True))
    position: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    kind: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    code: str | None = Field(default=None, sa_type=Text)
    meter: str | None = Field(default=None, sa_type=Text)
    aggregation: str | None = Field(default=None, sa_type=Text)
    quantity: Decimal | None = Field(default=None, sa_type=Numeric)
    start: date | None = Field(default=None, sa_column=Column("starts_on", Date, nullable=True))
    end: date | None = Field(default=None, sa_column=Column("ends_on", Date, nullable=True))
    days: int | None = Field(default=None, sa_type=Integer)
    of_days: int | None = Field(default=None, sa_type=Integer)
    plan_version_id: UUID | None = None
    steps: list[dict[str, str]] = Field(default_factory=list, sa_type=JSONB)
    reference: UUID | None = None
    amount: Decimal = Field(sa_type=Numeric)


class InvoiceLetter(PlatformBase, table=True):
    """The letter that brings an issued document to the address of the account.

    Attributes:
        mailed_at: when a mail server took the letter; None while it waits.
    """

    __tablename__: ClassVar[str] = "invoice_letters"
    __table_args__ = (
        Index("ix_invoice_letters_unmailed", "tenant_id", postgresql_where=text("mailed_at IS NULL")),
        {"info": {"app": "SELECT, INSERT, UPDATE (mailed_at)", "outlives_tenant": True}},
    )

    invoice_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.invoices.id"), primary_key=True))
    tenant_id: UUID
    mailed_at: datetime | None = Field(default=None, sa_type=STAMP)


class Credit(PlatformBase, table=True):
    """An amount that pays for use before money does.

    Attributes:
        priority: credits with a smaller number are used first; then those that expire first.
        expires_on: the first day for which it does not pay; None if it never expires.
        invoice_id: the invoice whose amount below 0 it carries.
    """

    __tablename__: ClassVar[str] = "credits"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("priority BETWEEN 0 AND 100", name="priority"),
        CheckConstraint("expires_on > granted_on", name="expires_on"),
        Index("ix_credits_tenant_id", "tenant_id", "currency"),
        {"info": LEDGER},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    tenant_id: UUID
    currency: str = Field(sa_type=Text)
    amount: Decimal = Field(sa_type=Numeric)
    priority: int = Field(default=50, sa_type=Integer)
    granted_on: date
    expires_on: date | None = None
    reason: str = Field(sa_type=Text)
    invoice_id: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("platform.invoices.id"), nullable=True)
    )
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)


class CreditUse(PlatformBase, table=True):
    """A part of a credit that an invoice used; below 0 where a void invoice returned it.

    Attributes:
        invoice_id: None where the part was revoked.
        reason: why it was revoked; empty for the part of an invoice.
    """

    __tablename__: ClassVar[str] = "credit_uses"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint("invoice_id IS NOT NULL OR reason <> ''", name="reason"),
        Index("ix_credit_uses_credit_id", "credit_id"),
        Index("ix_credit_uses_invoice_id", "invoice_id"),
        {"info": LEDGER},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    credit_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.credits.id"), nullable=False))
    invoice_id: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("platform.invoices.id"), nullable=True)
    )
    amount: Decimal = Field(sa_type=Numeric)
    reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=text("''")))
    used_at: datetime = Field(default_factory=now, sa_type=STAMP)


class Payment(PlatformBase, table=True):
    """Money received for an invoice, or returned (below 0).

    Attributes:
        method: such as ``bank_transfer`` or ``stripe``.
        reference: names the payment in its method, such as the bank's reference; the same one counts one time.
    """

    __tablename__: ClassVar[str] = "payments"
    __table_args__ = (
        UniqueConstraint("method", "reference"),
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_payments_invoice_id", "invoice_id"),
        {"info": LEDGER},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    tenant_id: UUID
    invoice_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.invoices.id"), nullable=False))
    currency: str = Field(sa_type=Text)
    amount: Decimal = Field(sa_type=Numeric)
    received_on: date
    method: str = Field(sa_type=Text)
    reference: str = Field(sa_type=Text)
    recorded_at: datetime = Field(default_factory=now, sa_type=STAMP)
    recorded_by: str = Field(sa_type=Text)


class NumberSeries(PlatformBase, table=True):
    """The last number of a series. The transaction that issues a document takes the next, so none is ever missing."""

    __tablename__: ClassVar[str] = "number_series"
    __table_args__ = ({"info": {"app": "SELECT, INSERT, UPDATE", "guard": "guard_number"}},)

    series: str = Field(primary_key=True, sa_type=Text)
    last: int = Field(sa_type=Integer)
