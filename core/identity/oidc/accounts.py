"""The account of a person whom a provider signed in: found by issuer and subject, linked, or created.

An account is linked or created only for an e-mail address that the provider says it has verified, in a domain that the
tenant has proved. Such a membership is open to the provider alone (``sso_only``): a password that somebody chose for
the account elsewhere does not open it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from core import audit
from core.clock import now
from core.database import platform_session, tenant_session
from core.errors import Conflict, Invalid
from core.identity.oidc.domains import domain_of
from core.identity.oidc.errors import SignInRejected
from core.identity.oidc.providers import existing_roles
from core.identity.people import members
from core.identity.people.account_rows import ensure_person, name_unused
from core.identity.people.names import NAME_MAX, normal_email
from core.identity.roles import ADMIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlmodel import Session

    from core.database import TenantRef
    from core.identity.oidc.providers import SsoProviderState

MOST_VALUES: Final = 1000
MICROSOFT: Final = frozenset(
    {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"}
)
"""Hosts of the issuers of Microsoft Entra ID."""

_TRUE: Final = (True, "1", "true")
_IDENTITY: Final = text(
    "SELECT i.person_id, p.state, p.operator_role FROM platform.sso_identities i"
    " JOIN platform.people p ON p.id = i.person_id"
    " WHERE i.tenant_id = :tenant AND i.issuer = :issuer AND i.subject = :subject FOR UPDATE OF i"
)
_MEMBERSHIP: Final = text(
    "SELECT roles, accepted_at, deactivated_at FROM platform.memberships"
    " WHERE tenant_id = :tenant AND person_id = :person FOR UPDATE"
)
_PROVED: Final = text(
    "SELECT 1 FROM platform.sso_domains WHERE tenant_id = :tenant AND domain = :domain AND proved_at IS NOT NULL"
)
_LINKED: Final = text(
    "SELECT 1 FROM platform.sso_identities WHERE tenant_id = :tenant AND issuer = :issuer AND person_id = :person"
)
_LINK: Final = text(
    "INSERT INTO platform.sso_identities (id, tenant_id, issuer, subject, person_id, created_at, last_used_at)"
    " VALUES (:id, :tenant, :issuer, :subject, :person, :now, :now)"
)
_ADD: Final = text(
    "INSERT INTO platform.memberships (person_id, tenant_id, roles, accepted_at, sso_only, created_at, created_by)"
    " VALUES (:person, :tenant, :roles, :now, true, :now, :actor)"
)


@dataclass(frozen=True, slots=True)
class _Identity:
    """Who the provider says it is, with the values of every statement."""

    provider: SsoProviderState
    claims: Mapping[str, Any]

    @property
    def values(self) -> dict[str, Any]:
        return {
            "tenant": self.provider.tenant.id,
            "issuer": self.provider.issuer,
            "subject": self.claims["sub"],
            "now": now(),
        }

    @property
    def email(self) -> str:
        """The verified address, in the form in which addresses are stored.

        Raises:
            SignInRejected: there is none, or the provider has not verified it.
        """
        email = self.claims.get("email")
        if not isinstance(email, str) or not self._is_verified:
            raise SignInRejected("unverified", "email")
        try:
            return normal_email(email)
        except Invalid:
            raise SignInRejected("unverified", "email") from None

    @property
    def _is_verified(self) -> bool:
        """Whether the provider says that it has verified the address.

        Microsoft sends no ``email_verified``. It says by ``xms_edov`` that its tenant has proved the address's domain,
        which this platform's tenant must have proved as well. Other issuers could send that claim with any meaning.
        """
        if "email_verified" in self.claims:
            return self.claims["email_verified"] is True
        own = urlsplit(self.provider.issuer).hostname in MICROSOFT
        return own and self.claims.get("xms_edov") in _TRUE

    @property
    def name(self) -> str:
        """The name of the person on pages: the provider's name for them, else the address."""
        name = self.claims.get("name")
        shown = " ".join(name.split())[:NAME_MAX] if isinstance(name, str) else ""
        return shown if shown and shown.isprintable() else self.email[:NAME_MAX]


@dataclass(frozen=True, slots=True)
class SsoAccount:
    """The person whom a provider signed in.

    Attributes:
        linked: whether this sign-in linked the account to the provider.
        roles: those that the person has in the tenant now.
    """

    person_id: UUID
    linked: bool
    roles: list[str]


def account_of(provider: SsoProviderState, claims: Mapping[str, Any]) -> SsoAccount:
    """The person whom the verified claims of an ID token name, with the roles that the claims give them.

    Raises:
        SignInRejected: nobody can be signed in by these claims; the reason says whom to ask.
    """
    identity = _Identity(provider, claims)
    with platform_session() as session:
        row = session.execute(_IDENTITY, identity.values).first()
        if row is None:
            person_id, linked = _link(session, identity), True
        else:
            if row.state != "active" or row.operator_role is not None:
                raise SignInRejected("account")
            person_id, linked = UUID(str(row.person_id)), False
        roles = _apply_roles(session, identity, person_id, _mapped(session, provider, claims), linked=linked)
        session.execute(
            text(
                "UPDATE platform.sso_identities SET last_used_at = :now"
                " WHERE tenant_id = :tenant AND issuer = :issuer AND subject = :subject"
            ),
            identity.values,
        )
    return SsoAccount(person_id, linked, roles)


def _link(session: Session, identity: _Identity) -> UUID:
    """Link issuer and subject to the account with the verified address, which is created if there is none.

    Raises:
        SignInRejected: the address is not verified, its domain is not proved, or the account is another's.
    """
    email = identity.email
    if session.execute(_PROVED, {**identity.values, "domain": domain_of(email)}).first() is None:
        raise SignInRejected("domain")
    try:
        person_id = ensure_person(session, email, identity.name, "system:sso")
    except Conflict:
        raise SignInRejected("account") from None
    values = {**identity.values, "person": person_id, "id": uuid7()}
    membership = session.execute(_MEMBERSHIP, values).first()
    if session.execute(_LINKED, values).first() is not None:
        if membership is None:
            raise SignInRejected("removed")
        if membership.accepted_at is not None:
            raise SignInRejected("other_identity")  # a provider may give an address to a new person
        session.execute(
            text(
                "DELETE FROM platform.sso_identities"
                " WHERE tenant_id = :tenant AND issuer = :issuer AND person_id = :person"
            ),
            values,
        )
    session.execute(_LINK, values)
    return person_id


def _mapped(session: Session, provider: SsoProviderState, claims: Mapping[str, Any]) -> list[str]:
    """The roles that the claims give, without those that were deleted since they were mapped."""
    value = claims.get(provider.roles_claim)
    values = value[:MOST_VALUES] if isinstance(value, list) else [value]
    mapped = {provider.role_mapping[each] for each in values if isinstance(each, str) and each in provider.role_mapping}
    existing = existing_roles(session, provider.tenant, mapped)
    if not existing and provider.default_role is not None:
        existing = existing_roles(session, provider.tenant, [provider.default_role])
    return sorted(existing)


def _apply_roles(
    session: Session, identity: _Identity, person_id: UUID, mapped: list[str], *, linked: bool
) -> list[str]:
    """Give the person the roles in the tenant, and return them. Facilities and states stay what an admin set.

    Raises:
        SignInRejected: the person was removed or deactivated, or there is no role for them.
    """
    provider, values = identity.provider, {**identity.values, "person": person_id}
    membership = session.execute(_MEMBERSHIP, values).first()
    if membership is None:
        if not linked:
            raise SignInRejected("removed")
        if not mapped:
            raise SignInRejected("no_role")
        name_unused(session, person_id, identity.name)
        session.execute(_ADD, {**values, "roles": mapped, "actor": "system:sso"})
        _record(provider.tenant, person_id, "add", mapped)
        return mapped
    if membership.deactivated_at is not None:
        raise SignInRejected("account")
    before = sorted(membership.roles)
    roles = mapped if provider.role_mapping else before
    if not roles:
        raise SignInRejected("no_role")
    if membership.accepted_at is None:
        name_unused(session, person_id, identity.name)
        session.execute(
            text(
                "UPDATE platform.memberships SET accepted_at = :now, sso_only = true"
                " WHERE tenant_id = :tenant AND person_id = :person"
            ),
            values,
        )
    if roles != before:
        roles = _with_last_admin(session, provider.tenant, person_id, roles)
        session.execute(
            text("UPDATE platform.memberships SET roles = :roles WHERE tenant_id = :tenant AND person_id = :person"),
            {**values, "roles": roles},
        )
    if roles != before:
        _record(provider.tenant, person_id, "change", roles)
    return roles


def _with_last_admin(session: Session, tenant: TenantRef, person_id: UUID, roles: list[str]) -> list[str]:
    """The roles, and ``partner_admin`` with them if the person is the last who has it."""
    if ADMIN not in members.lock_roles(session, tenant, person_id) or ADMIN in roles:
        return roles
    try:
        members.reject_last_admin(session, tenant, person_id)
    except Conflict:
        return sorted({*roles, ADMIN})
    return roles


def _record(tenant: TenantRef, person_id: UUID, act: str, roles: list[str]) -> None:
    with tenant_session(tenant, actor="system:sso") as scope:
        audit.record(scope, f"page:person:{act}", "person", person_id, {"roles": roles})
