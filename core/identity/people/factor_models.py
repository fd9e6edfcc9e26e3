"""Tables of the second factor and of sign-ins, in the control schema."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Column, ForeignKey, Index, LargeBinary, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import PlatformBase
from core.identity.people.models import STAMP

ALL: dict[str, Any] = {"info": {"app": "SELECT, INSERT, UPDATE, DELETE"}}


class SecondFactor(PlatformBase, table=True):
    """The authenticator app of a person. Secrets are sealed by the master key, bound to the person.

    Attributes:
        secret_enc: of the app that counts; None until a person confirms their first one.
        confirmed_at: since when the app counts.
        last_step: the time step of the newest code that was used: a code counts one time.
        candidate_enc: the secret of a new app, until a code confirms it.
        candidate_at: when it was made; it can be confirmed for some minutes.
    """

    __tablename__: ClassVar[str] = "second_factors"
    __table_args__ = (ALL,)

    person_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.people.id"), primary_key=True))
    secret_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    confirmed_at: datetime | None = Field(default=None, sa_type=STAMP)
    last_step: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    candidate_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    candidate_at: datetime | None = Field(default=None, sa_type=STAMP)


class RecoveryCode(PlatformBase, table=True):
    """A code that replaces the app one time. Only a digest of the person and the code is stored."""

    __tablename__: ClassVar[str] = "recovery_codes"
    __table_args__ = (Index("ix_recovery_codes_person_id", "person_id"), ALL)

    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    person_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.people.id"), nullable=False))
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    used_at: datetime | None = Field(default=None, sa_type=STAMP)


class PendingSignIn(PlatformBase, table=True):
    """A sign-in after the password and before the second factor. It opens no page but those of the second factor.

    Attributes:
        digest: SHA-256 of the cookie's secret.
        purpose: ``code`` (type one) or ``set_up`` (the person must set up an app first).
        wrong: wrong codes so far; a few end it.
    """

    __tablename__: ClassVar[str] = "pending_sign_ins"
    __table_args__ = (
        CheckConstraint("purpose IN ('code', 'set_up')", name="purpose"),
        Index("ix_pending_sign_ins_person_id", "person_id"),
        Index("ix_pending_sign_ins_expires_at", "expires_at"),
        ALL,
    )

    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    person_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.people.id"), nullable=False))
    purpose: str = Field(sa_type=Text)
    device: str = Field(default="", sa_type=Text)
    wrong: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    expires_at: datetime = Field(sa_type=STAMP)


class SecondFactorRule(PlatformBase, table=True):
    """A copy of the tenant's settings of sign-in, for the look-up of sessions.

    Attributes:
        roles: those that need a second factor.
        language: of pages and letters for who chose none; None where the tenant chose none.
    """

    __tablename__: ClassVar[str] = "sign_in_rules"
    __table_args__ = (ALL,)

    tenant_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("platform.tenants.id", ondelete="CASCADE"), primary_key=True)
    )
    roles: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    language: str | None = Field(default=None, sa_type=Text)
    changed_at: datetime = Field(default_factory=now, sa_type=STAMP)


class SignInEvent(PlatformBase, table=True):
    """An event of an account: a sign-in, a failure, a changed password. A loop copies it to the audits.

    Attributes:
        tenant_id: the tenant whose audit gets it; None for those of all of the person's tenants, or the platform's.
        device: the browser's description of itself, cut short; never copied to an audit.
        copied_at: when it was copied to the audits; None until then.
    """

    __tablename__: ClassVar[str] = "sign_in_events"
    __table_args__ = (
        Index("ix_sign_in_events_person_id_id", "person_id", "id"),
        Index("ix_sign_in_events_waiting", "id", postgresql_where=text("copied_at IS NULL")),
        ALL,
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    person_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.people.id"), nullable=False))
    tenant_id: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("platform.tenants.id", ondelete="CASCADE"), nullable=True)
    )
    action: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    device: str = Field(default="", sa_type=Text)
    detail: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    occurred_at: datetime = Field(default_factory=now, sa_type=STAMP)
    copied_at: datetime | None = Field(default=None, sa_type=STAMP)
