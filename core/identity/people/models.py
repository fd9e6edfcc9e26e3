"""People, in the control schema: their accounts, memberships, sessions and one-time links."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Column, DateTime, ForeignKey, Index, LargeBinary, Text, Uuid, text
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)
WRITES: dict[str, Any] = {"info": {"app": "SELECT, INSERT, UPDATE"}}


class Person(PlatformBase, table=True):
    """An account of a person who uses the platform. A person may belong to several tenants.

    Attributes:
        email: in lower case and unique; what the person signs in with.
        operator_role: ``platform_admin`` or ``platform_support``: an operator, who belongs to no tenant.
        password_hash: argon2id; None where the person has chosen no password yet.
        language: of the pages, such as ``en``; None for that of the tenant.
    """

    __tablename__: ClassVar[str] = "people"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'deactivated')", name="state"),
        CheckConstraint("operator_role IN ('platform_admin', 'platform_support')", name="operator_role"),
        CheckConstraint("email = lower(email) AND length(email) <= 254", name="email"),
        WRITES,
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    email: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    name: str = Field(sa_type=Text)
    state: str = Field(default="active", sa_type=Text)
    operator_role: str | None = Field(default=None, sa_type=Text)
    password_hash: str | None = Field(default=None, sa_type=Text)
    password_set_at: datetime | None = Field(default=None, sa_type=STAMP)
    language: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)
    deactivated_at: datetime | None = Field(default=None, sa_type=STAMP)


class Membership(PlatformBase, table=True):
    """The membership of a person in one tenant, with their role.

    Attributes:
        roles: names of roles; see ``core.identity.roles``.
        facility_ids: the facilities that the person reaches; None for all.
        states: the states whose facilities the person reaches; None for all.
        assigned_only: whether the person reaches only the patients who are assigned to them.
        accepted_at: when the person used this tenant's invitation; None until then, and the membership permits nothing.
            Whoever invited an address first could have chosen the account's password.
        sso_only: the tenant's provider accepted it (``core.identity.oidc``), so a password does not open it.
        invited_name: the name that the inviter gave. Until the person accepts, the tenant sees it in place of the
            account's own; it becomes the name of an account that was never used.
        invited_language: the language that the inviter gave, in the same way.
        deactivated_at: when an admin of the tenant deactivated it; from then on it permits nothing.
    """

    __tablename__: ClassVar[str] = "memberships"
    __table_args__ = (
        Index("ix_memberships_tenant_id", "tenant_id"),
        {"info": {"app": "SELECT, INSERT, UPDATE, DELETE"}},
    )

    person_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.people.id"), primary_key=True))
    tenant_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("platform.tenants.id", ondelete="CASCADE"), primary_key=True)
    )
    roles: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    facility_ids: list[UUID] | None = Field(default=None, sa_column=Column(ARRAY(Uuid), nullable=True))
    states: list[str] | None = Field(default=None, sa_column=Column(ARRAY(Text), nullable=True))
    assigned_only: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    accepted_at: datetime | None = Field(default=None, sa_type=STAMP)
    sso_only: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    invited_name: str | None = Field(default=None, sa_type=Text)
    invited_language: str | None = Field(default=None, sa_type=Text)
    deactivated_at: datetime | None = Field(default=None, sa_type=STAMP)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)


class PersonSession(PlatformBase, table=True):
    """One sign-in of a person. Only the SHA-256 of the cookie's secret is stored.

    Attributes:
        tenant_id: for which tenant; None for operators.
        expires_at: the absolute end. A session without a request for the idle time ends before it.
        device: the browser's description of itself, cut short.
    """

    __tablename__: ClassVar[str] = "sessions"
    __table_args__ = (Index("ix_sessions_person_id", "person_id"), Index("ix_sessions_expires_at", "expires_at"),
                      {"info": {"app": "SELECT, INSERT, UPDATE, DELETE"}})  # fmt: skip

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    secret_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    person_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.people.id"), nullable=False))
    tenant_id: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("platform.tenants.id", ondelete="CASCADE"), nullable=True)
    )
    signed_in_by: str = Field(sa_type=Text)
    device: str = Field(default="", sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    last_seen_at: datetime = Field(default_factory=now, sa_type=STAMP)
    expires_at: datetime = Field(sa_type=STAMP)
    revoked_at: datetime | None = Field(default=None, sa_type=STAMP)


class OneTimeLink(PlatformBase, table=True):
    """A link for a person to choose a password: an invitation or a reset. Only the secret's SHA-256 is stored.

    Attributes:
        tenant_id: whose admin made the link, and which membership an invitation accepts; None for an operator's link.
    """

    __tablename__: ClassVar[str] = "one_time_links"
    __table_args__ = (
        CheckConstraint("purpose IN ('invitation', 'reset')", name="purpose"),
        Index("ix_one_time_links_person_id", "person_id"),
        WRITES,
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    secret_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    purpose: str = Field(sa_type=Text)
    person_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.people.id"), nullable=False))
    tenant_id: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("platform.tenants.id", ondelete="CASCADE"), nullable=True)
    )
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)
    expires_at: datetime = Field(sa_type=STAMP)
    used_at: datetime | None = Field(default=None, sa_type=STAMP)
    revoked_at: datetime | None = Field(default=None, sa_type=STAMP)


class SignInFailure(PlatformBase, table=True):
    """Recent failed sign-ins of one account from one network address; ``digest`` is that of both.

    Because the address counts too, nobody can lock out somebody else's account.
    """

    __tablename__: ClassVar[str] = "sign_in_failures"
    __table_args__ = ({"info": {"app": "SELECT, INSERT, UPDATE, DELETE"}},)

    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    failures: int = Field(sa_column_kwargs={"server_default": text("0")})
    last_at: datetime = Field(sa_type=STAMP)
