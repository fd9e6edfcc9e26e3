"""Tables of messages: consent, templates, messages to patients and their answers, and phones."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    LargeBinary,
    Numeric,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.records.ids import new_uuid

STAMP: Any = DateTime(timezone=True)
PURPOSES: tuple[str, ...] = ("reminders", "follow_up", "surveys")
"""What patients consent to, each by itself."""
SOURCES: tuple[str, ...] = ("paper_form", "verbal", "sms", "import")
"""Where a decision comes from: a signed form, said at the clinic, a message of the patient, or an imported list."""

_PURPOSE = CheckConstraint("purpose IN ('reminders', 'follow_up', 'surveys')", name="purpose")


class PatientConsent(TenantBase, table=True):
    """One decision of a patient about one purpose. Rows are only added: the newest of a purpose counts.

    Attributes:
        agrees: whether the patient consents; False: withdrew or declined.
        day: the day of the decision.
        language: the language in which the patient wants messages, such as ``en``; None: the tenant's own.
        shared_phone: whether the consent covers a phone that other patients have too.
    """

    __tablename__: ClassVar[str] = "patient_consents"
    __table_args__ = (
        _PURPOSE,
        CheckConstraint("source IN ('paper_form', 'verbal', 'sms', 'import')", name="source"),
        Index("ix_patient_consents_patient_uuid", "patient_uuid", "purpose", "recorded_at"),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    patient_uuid: UUID
    facility_uuid: UUID
    purpose: str = Field(sa_type=Text)
    agrees: bool
    day: date = Field(sa_type=Date)
    source: str = Field(sa_type=Text)
    language: str | None = Field(default=None, sa_type=Text)
    shared_phone: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    recorded_at: datetime = Field(default_factory=now, sa_type=STAMP)
    recorded_by: str = Field(sa_type=Text)


class MessageTemplate(TenantBase, table=True):
    """One version of the text of a purpose in a language. A version never changes: the newest active one is sent.

    Attributes:
        version: from 1, of the purpose and language.
        body: the text, with ``{date}``, ``{code_word}`` and ``{phone}`` for what differs.
    """

    __tablename__: ClassVar[str] = "message_templates"
    __table_args__ = (
        _PURPOSE,
        CheckConstraint("state IN ('active', 'retired')", name="state"),
        UniqueConstraint("purpose", "language", "version", name="uq_message_templates_version"),
        Index(
            "uq_message_templates_active", "purpose", "language", unique=True, postgresql_where=text("state = 'active'")
        ),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    purpose: str = Field(sa_type=Text)
    language: str = Field(sa_type=Text)
    version: int
    body: str = Field(sa_type=Text)
    state: str = Field(default="active", sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)
    retired_at: datetime | None = Field(default=None, sa_type=STAMP)
    retired_by: str | None = Field(default=None, sa_type=Text)


class Communication(TenantBase, table=True):
    """One message or call in either direction, with the provider's answer.

    Attributes:
        version_id: changes with every write; the row's ETag.
        status: of an outbound one ``waiting``, ``sending`` (stored before the request leaves), ``sent``, ``delivered``,
            ``failed``, ``unknown`` (nobody knows whether it arrived, so it is never sent again) or ``cancelled``; of an
            inbound one ``received``, until a person or a rule has dealt with it: ``read``.
        channel: ``sms``; ``communication_type`` is the medium.
        template: purpose and language of the text; ``body_enc`` is the text that was sent, encrypted with the patient's
            key.
        consent_basis: the consent for this message, such as ``verbal:2026-01-05``; outbound rows must have one.
        purpose: one of ``PURPOSES``; None for an inbound one.
        contact_date: the expected contact of which it reminds.
        gateway_uuid: the gateway's plugin instance.
        job_uuid: the job that sends it; only its own next try can find that it was interrupted.
        provider: the gateway's instance as text; ``provider_message_id`` is unique in it, and reports name it.
        cost: the provider's charge, in ``currency`` (ISO 4217).
        error_code: why it failed, is unknown or was cancelled.
        answer: of an inbound one, what it says: ``coming``, ``call``, ``stop``, ``start``; None: not clear.
    """

    __tablename__: ClassVar[str] = "communications"
    __table_args__ = (
        CheckConstraint(
            "communication_type IN ('sms', 'whatsapp', 'voice', 'ussd', 'email', 'letter', 'in_person')",
            name="communication_type",
        ),
        CheckConstraint(
            "status IN ('queued', 'held', 'waiting', 'sending', 'sent', 'delivered', 'failed', 'unknown', 'cancelled', "
            "'received', 'read')",
            name="status",
        ),
        CheckConstraint("direction IN ('outbound', 'inbound')", name="direction"),
        CheckConstraint("direction = 'inbound' OR consent_basis IS NOT NULL", name="consent_basis"),
        CheckConstraint("cost IS NULL OR currency IS NOT NULL", name="cost"),
        CheckConstraint("NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name="voided"),
        Index("ix_communications_patient_uuid", "patient_uuid"),
        Index("ix_communications_status", "status", "scheduled_for"),
        Index("ix_communications_communication_type", "communication_type"),
        Index("ix_communications_recipient_bidx", "recipient_bidx", "sent_at"),
        Index(
            "uq_communications_provider_message_id",
            "provider",
            "provider_message_id",
            unique=True,
            postgresql_where=text("provider_message_id IS NOT NULL"),
        ),
        Index(
            "uq_communications_dedupe_key",
            "dedupe_key",
            unique=True,
            postgresql_where=text("dedupe_key IS NOT NULL"),
        ),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    version_id: UUID = Field(default_factory=new_uuid)
    patient_uuid: UUID
    facility_uuid: UUID
    prediction_uuid: UUID | None = None
    alert_uuid: UUID | None = None
    intervention_uuid: UUID | None = None
    reply_to_uuid: UUID | None = None
    communication_type: str = Field(sa_type=Text)
    direction: str = Field(default="outbound", sa_type=Text)
    status: str = Field(default="waiting", sa_type=Text)
    channel: str | None = Field(default=None, sa_type=Text)
    purpose: str | None = Field(default=None, sa_type=Text)
    template: str | None = Field(default=None, sa_type=Text)
    template_version: str | None = Field(default=None, sa_type=Text)
    language: str | None = Field(default=None, sa_type=Text)
    consent_basis: str | None = Field(default=None, sa_type=Text)
    contact_date: date | None = Field(default=None, sa_type=Date)
    recipient_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    recipient_bidx: bytes | None = Field(default=None, sa_type=LargeBinary)
    body_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    segments: int | None = None
    dedupe_key: str | None = Field(default=None, sa_type=Text)
    gateway_uuid: UUID | None = None
    job_uuid: UUID | None = None
    provider: str | None = Field(default=None, sa_type=Text)
    provider_message_id: str | None = Field(default=None, sa_type=Text)
    provider_status: str | None = Field(default=None, sa_type=Text)
    error_code: str | None = Field(default=None, sa_type=Text)
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    cost: Decimal | None = Field(default=None, sa_type=Numeric(14, 6))
    currency: str | None = Field(default=None, sa_type=Text)
    answer: str | None = Field(default=None, sa_type=Text)
    scheduled_for: datetime | None = Field(default=None, sa_type=STAMP)
    sent_at: datetime | None = Field(default=None, sa_type=STAMP)
    delivered_at: datetime | None = Field(default=None, sa_type=STAMP)
    failed_at: datetime | None = Field(default=None, sa_type=STAMP)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)
    updated_at: datetime = Field(default_factory=now, sa_type=STAMP)
    voided: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    voided_by: str | None = Field(default=None, sa_type=Text)
    date_voided: datetime | None = Field(default=None, sa_type=STAMP)
    void_reason: str | None = Field(default=None, sa_type=Text)


class MessagePhone(TenantBase, table=True):
    """What is remembered of a phone, whoever has it: who wants no messages, and numbers that do not exist.

    It outlives an erasure: a keyed digest that names nobody, so that a person who said STOP gets no message again.

    Attributes:
        phone_bidx: blind index of the phone.
        opted_out_at: since when it gets nothing; None: it may.
        wrong_since: since when the gateway says that the number does not exist; None: it does.
    """

    __tablename__: ClassVar[str] = "message_phones"

    phone_bidx: bytes = Field(primary_key=True, sa_type=LargeBinary)
    opted_out_at: datetime | None = Field(default=None, sa_type=STAMP)
    opted_out_by: str | None = Field(default=None, sa_type=Text)
    wrong_since: datetime | None = Field(default=None, sa_type=STAMP)
    wrong_reason: str | None = Field(default=None, sa_type=Text)
    updated_at: datetime = Field(default_factory=now, sa_type=STAMP)


class UnmatchedMessage(TenantBase, table=True):
    """A message from a phone of no patient, or of several: a person reads it and says whose it is.

    Attributes:
        sealed_sender, sealed_text: sealed with the tenant's key; emptied when it is settled, or a candidate is erased.
        candidates: the patients who have the phone.
    """

    __tablename__: ClassVar[str] = "unmatched_messages"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'settled')", name="state"),
        Index("ix_unmatched_messages_state", "state", "received_at"),
        {"info": {"archive": "messages of unknown phones, which this installation's gateway received"}},
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    gateway_uuid: UUID
    sealed_sender: str | None = Field(default=None, sa_type=Text)
    sealed_text: str | None = Field(default=None, sa_type=Text)
    candidates: list[UUID] = Field(sa_column=Column(ARRAY(Uuid), nullable=False))
    state: str = Field(default="waiting", sa_type=Text)
    received_at: datetime = Field(default_factory=now, sa_type=STAMP)
    settled_at: datetime | None = Field(default=None, sa_type=STAMP)
    settled_by: str | None = Field(default=None, sa_type=Text)
