"""Single sign-on, in the control schema: a tenant's provider, its domains, and what a sign-in leaves behind."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Column, DateTime, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)
WRITES: dict[str, Any] = {"info": {"app": "SELECT, INSERT, UPDATE, DELETE"}}


def _tenant(*, key: bool = False) -> Any:  # noqa: ANN401 - SQLModel takes the column as a field
    return Field(
        sa_column=Column(Uuid, ForeignKey("platform.tenants.id", ondelete="CASCADE"), primary_key=key, nullable=False)
    )


class SsoProvider(PlatformBase, table=True):
    """The provider of one tenant.

    Attributes:
        sealed_secret: the client secret, sealed with a key of the tenant; None for a public client.
        roles_claim: the claim of the ID token that holds a person's roles or groups.
        role_mapping: value of that claim -> name of a role.
        default_role: the role of who has no mapped value; None to reject them.
        enforced: passwords of the tenant's people are rejected, but for the break-glass account.
        break_glass_person_id: who may still use a password while SSO is enforced.
    """

    __tablename__: ClassVar[str] = "sso_providers"
    __table_args__ = (WRITES,)

    tenant_id: UUID = _tenant(key=True)
    issuer: str = Field(sa_type=Text)
    client_id: str = Field(sa_type=Text)
    sealed_secret: bytes | None = Field(default=None, sa_type=LargeBinary)
    roles_claim: str = Field(sa_type=Text)
    role_mapping: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    default_role: str | None = Field(default=None, sa_type=Text)
    enforced: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    break_glass_person_id: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("platform.people.id"), nullable=True)
    )
    changed_at: datetime = Field(default_factory=now, sa_type=STAMP)
    changed_by: str = Field(sa_type=Text)


class SsoDomain(PlatformBase, table=True):
    """A domain of e-mail addresses that a tenant claims. At most one tenant proves a domain.

    Attributes:
        challenge: the text that the tenant publishes in a TXT record of the domain.
        proved_at: when the record was found; None until then.
        checked_at: when it was last looked for.
    """

    __tablename__: ClassVar[str] = "sso_domains"
    __table_args__ = (
        UniqueConstraint("tenant_id", "domain"),
        Index("uq_sso_domains_proved", "domain", unique=True, postgresql_where=text("proved_at IS NOT NULL")),
        WRITES,
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    tenant_id: UUID = _tenant()
    domain: str = Field(sa_type=Text)
    challenge: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)
    checked_at: datetime | None = Field(default=None, sa_type=STAMP)
    proved_at: datetime | None = Field(default=None, sa_type=STAMP)


class SsoIdentity(PlatformBase, table=True):
    """A person as a tenant's provider knows them: issuer and subject, which stay when an e-mail address changes."""

    __tablename__: ClassVar[str] = "sso_identities"
    __table_args__ = (
        UniqueConstraint("tenant_id", "issuer", "subject"),
        Index("ix_sso_identities_person_id", "person_id"),
        WRITES,
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    tenant_id: UUID = _tenant()
    issuer: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    person_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.people.id"), nullable=False))
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    last_used_at: datetime = Field(default_factory=now, sa_type=STAMP)


class SsoFlow(PlatformBase, table=True):
    """A sign-in that is under way at a provider. Its row is deleted when the answer comes, so it works one time.

    Attributes:
        state_digest: SHA-256 of the state.
        browser_digest: SHA-256 of the cookie that binds the sign-in to one browser.
        following: where the person was going: a path of this server.
    """

    __tablename__: ClassVar[str] = "sso_flows"
    __table_args__ = (Index("ix_sso_flows_expires_at", "expires_at"), WRITES)

    state_digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    browser_digest: bytes = Field(sa_type=LargeBinary)
    tenant_id: UUID = _tenant()
    issuer: str = Field(sa_type=Text)
    nonce: str = Field(sa_type=Text)
    code_verifier: str = Field(sa_type=Text)
    redirect_uri: str = Field(sa_type=Text)
    following: str = Field(sa_type=Text)
    expires_at: datetime = Field(sa_type=STAMP)


class SsoSession(PlatformBase, table=True):
    """The provider's session behind one of our sessions, for both directions of signing out.

    Attributes:
        provider_session: ``sid`` of the ID token; None where the provider names none.
        sealed_id_token: the hint that the provider wants at signing out, sealed with a key of the tenant.
    """

    __tablename__: ClassVar[str] = "sso_sessions"
    __table_args__ = (Index("ix_sso_sessions_subject", "tenant_id", "issuer", "subject"), WRITES)

    session_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("platform.sessions.id", ondelete="CASCADE"), primary_key=True)
    )
    tenant_id: UUID = _tenant()
    issuer: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    provider_session: str | None = Field(default=None, sa_type=Text)
    sealed_id_token: bytes = Field(sa_type=LargeBinary)


class SsoLogoutToken(PlatformBase, table=True):
    """A logout token that was used already (a digest of issuer and ``jti``), until it has expired anyway."""

    __tablename__: ClassVar[str] = "sso_logout_tokens"
    __table_args__ = (WRITES,)

    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    expires_at: datetime = Field(sa_type=STAMP)
