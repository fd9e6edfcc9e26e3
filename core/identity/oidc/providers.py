"""A tenant's provider: stored, changed, and found by the domain of an e-mail address or the tenant's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb
from sqlalchemy import text

from core import audit
from core.clock import now
from core.database import TenantRef, platform_session, tenant_session
from core.errors import FieldError, Forbidden, Invalid, NotFound, phrase
from core.identity.oidc import discovery
from core.identity.oidc.domains import domain_of
from core.identity.oidc.fetching import ProviderFaultError, reject_address
from core.identity.roles import ADMIN, PROGRAM, ROLES, permissions_of_role
from core.identity.tenant_roles.changes import hold_roles
from core.identity.tenant_roles.compiled import read_rules
from core.identity.tenants import JOINED, USABLE
from core.privacy import derived_key
from core.privacy.errors import CannotDecrypt
from core.privacy.master import seal, unseal
from core.web.etag import ANY_VERSION, ExpectedVersions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlmodel import Session

    from core.identity.oidc.author import Author

ROLES_CLAIM: Final = "groups"
MOST_MAPPED: Final = 200
_TENANT: Final = "t.id, t.slug, t.name, t.schema_name, t.role_name, t.database, t.state, t.time_zone"
_FIELDS: Final = (
    "sp.issuer, sp.client_id, sp.sealed_secret, sp.roles_claim, sp.role_mapping, sp.default_role, sp.enforced,"
    " sp.break_glass_person_id, sp.changed_at, sp.changed_by"
)
_FROM: Final = (
    f"SELECT {_TENANT}, {_FIELDS} FROM platform.sso_providers sp"  # noqa: S608 - constants
    " JOIN platform.tenants t ON t.id = sp.tenant_id"
)
_BY_TENANT: Final = text(f"{_FROM} WHERE sp.tenant_id = :tenant")
_LOCKED: Final = text(f"{_FROM} WHERE sp.tenant_id = :tenant FOR UPDATE OF sp")
_BY_SLUG: Final = text(f"{_FROM} WHERE t.slug = :slug AND {USABLE}")
_BY_ID: Final = text(f"{_FROM} WHERE t.id = :tenant AND {USABLE}")
_BY_DOMAIN: Final = text(
    f"{_FROM} JOIN platform.sso_domains d ON d.tenant_id = t.id AND d.proved_at IS NOT NULL"
    f" WHERE d.domain = :domain AND {USABLE}"
)
_STORE: Final = text(
    "INSERT INTO platform.sso_providers (tenant_id, issuer, client_id, sealed_secret, roles_claim, role_mapping,"
    " default_role, enforced, break_glass_person_id, changed_at, changed_by) VALUES (:tenant, :issuer, :client_id,"
    " :secret, :roles_claim, :mapping, :default_role, :enforced, :break_glass, :now, :actor)"
    " ON CONFLICT (tenant_id) DO UPDATE SET issuer = excluded.issuer, client_id = excluded.client_id,"
    " sealed_secret = excluded.sealed_secret, roles_claim = excluded.roles_claim, role_mapping = excluded.role_mapping,"
    " default_role = excluded.default_role, enforced = excluded.enforced,"
    " break_glass_person_id = excluded.break_glass_person_id, changed_at = excluded.changed_at,"
    " changed_by = excluded.changed_by"
)


@dataclass(frozen=True, slots=True)
class Draft:
    """The single sign-on that a tenant asks for.

    Attributes:
        client_secret: None keeps the stored one.
    """

    issuer: str
    client_id: str
    client_secret: str | None
    roles_claim: str
    role_mapping: Mapping[str, str]
    default_role: str | None
    enforced: bool
    break_glass_person_id: UUID | None

    @classmethod
    def of(cls, provider: SsoProviderState) -> Draft:
        """Return the draft that changes nothing of a provider."""
        return cls(
            provider.issuer,
            provider.client_id,
            None,
            provider.roles_claim,
            provider.role_mapping,
            provider.default_role,
            provider.enforced,
            provider.break_glass_person_id,
        )


@dataclass(frozen=True, slots=True)
class SsoProviderState:
    """A tenant's single sign-on as stored."""

    tenant: TenantRef
    issuer: str
    client_id: str
    sealed_secret: bytes | None
    roles_claim: str
    role_mapping: Mapping[str, str]
    default_role: str | None
    enforced: bool
    break_glass_person_id: UUID | None
    changed_at: datetime
    changed_by: str

    @property
    def version_id(self) -> UUID:
        """Another one after each change."""
        return uuid5(self.tenant.id, self.changed_at.isoformat())

    @property
    def has_secret(self) -> bool:
        """Return whether a client secret is stored."""
        return self.sealed_secret is not None

    def secret(self) -> str | None:
        """The client secret in the clear.

        Raises:
            ProviderFaultError: it cannot be decrypted: the tenant came from elsewhere without its keys.
        """
        if self.sealed_secret is None:
            return None
        try:
            return unseal_text(self.tenant, self.sealed_secret, "secret")
        except CannotDecrypt:
            problem = "the stored client secret cannot be decrypted"
            raise ProviderFaultError("secret", problem, "Set the client secret again.") from None


def seal_text(tenant: TenantRef, plain: str, purpose: str) -> bytes:
    """The text, sealed with a key of the tenant."""
    return seal(derived_key(tenant, "sso"), plain.encode(), f"sso|{tenant.id}|{purpose}")


def unseal_text(tenant: TenantRef, sealed: bytes, purpose: str) -> str:
    """The text that ``seal_text`` sealed.

    Raises:
        CannotDecrypt: it was sealed with another key.
    """
    return unseal(derived_key(tenant, "sso"), bytes(sealed), f"sso|{tenant.id}|{purpose}").decode()


def get_provider(tenant: TenantRef) -> SsoProviderState:
    """The tenant's single sign-on.

    Raises:
        NotFound: it is not set up.
    """
    provider = _provider(_BY_TENANT, tenant=tenant.id)
    if provider is None:
        raise _not_set_up()
    return provider


def active_provider(tenant_id: UUID) -> SsoProviderState | None:
    """The single sign-on of an active tenant; None if there is none."""
    return _provider(_BY_ID, tenant=tenant_id)


def provider_of_partner(slug: str) -> SsoProviderState | None:
    """The single sign-on of the active tenant with this short name; None if there is none."""
    return _provider(_BY_SLUG, slug=slug)


def provider_of_email(email: str) -> SsoProviderState | None:
    """The single sign-on of the active tenant that proved the address's domain; None if there is none.

    Only the domain is looked at, so the answer does not show who has an account.
    """
    domain = domain_of(email)
    return _provider(_BY_DOMAIN, domain=domain) if domain else None


def put_provider(
    tenant: TenantRef, draft: Draft, author: Author, expected: ExpectedVersions = ANY_VERSION
) -> SsoProviderState:
    """Set up the tenant's single sign-on, or replace what is set up.

    Passwords end with enforcing, and sessions of another issuer with a change of the issuer.

    Raises:
        Invalid: a field is not valid; ``errors`` names it.
        PreconditionRequired, PreconditionFailed: something else is set up than the author has seen.
        Forbidden: the author is not an admin: the provider decides who can sign in as whom.
    """
    _reject_lesser(author)
    _reject_form(draft)
    with platform_session() as session:
        known = _locked(session, tenant)
        expected.check_one(None if known is None else known.version_id)
        sealed = _sealed_secret(tenant, draft, known)
        _reject_unknown_roles(session, tenant, draft)
        if draft.enforced:
            _reject_lock_out(session, tenant, draft)
        elif draft.break_glass_person_id is not None:
            _reject_stranger(session, tenant, draft.break_glass_person_id)
        session.execute(
            _STORE,
            {
                "tenant": tenant.id,
                "issuer": draft.issuer,
                "client_id": draft.client_id,
                "secret": sealed,
                "roles_claim": draft.roles_claim,
                "mapping": Jsonb(dict(draft.role_mapping)),
                "default_role": draft.default_role,
                "enforced": draft.enforced,
                "break_glass": draft.break_glass_person_id,
                "now": now(),
                "actor": author.actor,
            },
        )
        if draft.enforced:
            _end_sessions(session, tenant, "signed_in_by <> 'oidc'", draft.break_glass_person_id)
        if known is not None and known.issuer != draft.issuer:
            _end_sessions(session, tenant, "signed_in_by = 'oidc'", None)
        _record(tenant, author, "change", {"enforced": draft.enforced, "mapped": len(draft.role_mapping)})
    discovery.forget(draft.issuer)
    return get_provider(tenant)


def remove_provider(tenant: TenantRef, author: Author, expected: ExpectedVersions = ANY_VERSION) -> None:
    """Remove the tenant's single sign-on. Its sessions end at once; domains and identities stay.

    Raises:
        NotFound: it is not set up.
        PreconditionFailed: somebody changed it meanwhile.
        Forbidden: the author is not an admin.
    """
    _reject_lesser(author)
    with platform_session() as session:
        known = _locked(session, tenant)
        if known is None:
            raise _not_set_up()
        expected.check(known.version_id)
        session.execute(text("DELETE FROM platform.sso_providers WHERE tenant_id = :tenant"), {"tenant": tenant.id})
        _end_sessions(session, tenant, "signed_in_by = 'oidc'", None)
        _record(tenant, author, "remove", {})
    discovery.forget(known.issuer)


def existing_roles(session: Session, tenant: TenantRef, names: Collection[str]) -> frozenset[str]:
    """Return the names that are roles of the tenant's people; none of them is deleted until the transaction ends."""
    built_in = {role.name for role in ROLES.values() if not role.operator and role.name != PROGRAM}
    wanted = frozenset(names)
    if wanted <= built_in:
        return wanted
    hold_roles(session, tenant.id)
    with tenant_session(tenant, actor="system:roles", readonly=True) as scope:
        return wanted & (built_in | {rule.name for rule in read_rules(scope)})


def _not_set_up() -> NotFound:
    detail = "single sign-on is not set up"
    return NotFound(detail, remedy="Set the issuer and the client of your provider first.")


def _locked(session: Session, tenant: TenantRef) -> SsoProviderState | None:
    """The tenant's single sign-on, which nobody else changes until the transaction ends."""
    return _state(session.execute(_LOCKED, {"tenant": tenant.id}).mappings().first())


def _provider(statement: Any, **values: object) -> SsoProviderState | None:  # noqa: ANN401 - SQLAlchemy's text
    with platform_session() as session:
        return _state(session.execute(statement, values).mappings().first())


def _state(row: Mapping[Any, Any] | None) -> SsoProviderState | None:
    if row is None:
        return None
    fields = {name.strip().removeprefix("sp."): None for name in _FIELDS.split(",")}
    return SsoProviderState(TenantRef.of(row), **{name: row[name] for name in fields})


def _reject_lesser(author: Author) -> None:
    if author.permissions is not None and not permissions_of_role(ADMIN) <= set(author.permissions):
        detail = "whoever sets up single sign-on decides who can sign in as whom, and you may do less than an admin"
        raise Forbidden(detail, remedy="Ask an admin of the tenant.")


def _reject_form(draft: Draft) -> None:
    problems = []
    try:
        url = reject_address(draft.issuer)
        if url.query:
            problems.append(FieldError("issuer", "has a query", "Give the address alone."))
    except ProviderFaultError as fault:
        problems.append(FieldError("issuer", fault.problem, fault.remedy))
    if draft.client_secret is not None and not draft.client_secret.strip():
        problems.append(FieldError("client_secret", "is empty", "Leave it out to keep the stored one."))
    if len(draft.role_mapping) > MOST_MAPPED:
        problems.append(
            FieldError("role_mapping", "has too many values", phrase("Map at most {most}.", most=MOST_MAPPED))
        )
    if problems:
        detail = "the single sign-on is not valid"
        raise Invalid(detail, errors=problems)


def _sealed_secret(tenant: TenantRef, draft: Draft, known: SsoProviderState | None) -> bytes | None:
    """The secret to store.

    Raises:
        Invalid: the issuer changes, and the secret of the old one would be sent to the new one.
    """
    if draft.client_secret is not None:
        return seal_text(tenant, draft.client_secret.strip(), "secret")
    if known is None or known.sealed_secret is None:
        return None
    if known.issuer != draft.issuer:
        detail, remedy = "a new issuer needs its own client secret", "Give the client secret of the new issuer."
        raise Invalid(detail, errors=[FieldError("client_secret", "belongs to the issuer before", remedy)])
    return known.sealed_secret


def _reject_unknown_roles(session: Session, tenant: TenantRef, draft: Draft) -> None:
    named = [("role_mapping", role) for role in sorted(set(draft.role_mapping.values()))]
    if draft.default_role is not None:
        named.append(("default_role", draft.default_role))
    known = existing_roles(session, tenant, [role for _, role in named])
    problems = [
        FieldError(field, phrase("names {role}, which is not a role", role=role), "Give a role of GET /v1/roles.")
        for field, role in named
        if role not in known
    ]
    if problems:
        detail = "a role does not exist"
        raise Invalid(detail, errors=problems)


_BREAK_GLASS_FITS: Final = text(
    "SELECT 1 FROM platform.memberships m JOIN platform.people p ON p.id = m.person_id"  # noqa: S608 - a constant
    f" WHERE m.tenant_id = :tenant AND m.person_id = :person AND {JOINED} AND NOT m.sso_only"
    " AND :admin = ANY(m.roles) AND p.state = 'active' AND p.password_hash IS NOT NULL"
)
_WORKS: Final = text(
    "SELECT EXISTS (SELECT 1 FROM platform.sso_identities WHERE tenant_id = :tenant AND issuer = :issuer) AS used,"
    " EXISTS (SELECT 1 FROM platform.sso_domains WHERE tenant_id = :tenant AND proved_at IS NOT NULL) AS proved"
)
_MEMBER: Final = text("SELECT 1 FROM platform.memberships WHERE tenant_id = :tenant AND person_id = :person")


def _reject_stranger(session: Session, tenant: TenantRef, person_id: UUID) -> None:
    """Reject a break-glass account that is not a person of the tenant.

    Raises:
        Invalid: the tenant has no such person.
    """
    if session.execute(_MEMBER, {"tenant": tenant.id, "person": person_id}).first() is None:
        detail, remedy = "the tenant has no such person", "Give the id of one of GET /v1/people."
        raise Invalid(detail, errors=[FieldError("break_glass_person_id", "names no person of the tenant", remedy)])


def _reject_lock_out(session: Session, tenant: TenantRef, draft: Draft) -> None:
    """Reject the enforcement of single sign-on if nobody could sign in then.

    Raises:
        Invalid: there is no break-glass account, no proved domain, or nobody has signed in by the provider yet.
    """
    values = {"tenant": tenant.id, "issuer": draft.issuer, "person": draft.break_glass_person_id, "admin": ADMIN}
    problems = []
    if session.execute(_BREAK_GLASS_FITS, values).first() is None:
        remedy = phrase("Choose a person with the role {role} and a password.", role=ADMIN)
        problems.append(FieldError("break_glass_person_id", "is not an admin of the tenant with a password", remedy))
    works = session.execute(_WORKS, values).one()
    if not works.proved:
        problems.append(FieldError("enforced", "needs a proved domain", "Prove a domain first."))
    if not works.used:
        problems.append(FieldError("enforced", "was never tried", "Sign in through the provider one time first."))
    if problems:
        detail = "single sign-on cannot be enforced yet"
        raise Invalid(detail, errors=problems)


def _end_sessions(session: Session, tenant: TenantRef, which: str, but: UUID | None) -> None:
    session.execute(
        text(
            f"UPDATE platform.sessions SET revoked_at = :now WHERE tenant_id = :tenant AND {which}"  # noqa: S608 - constants
            " AND revoked_at IS NULL"
            " AND (CAST(:but AS uuid) IS NULL OR person_id <> :but)"
        ),
        {"tenant": tenant.id, "but": but, "now": now()},
    )


def _record(tenant: TenantRef, author: Author, act: str, detail: dict[str, Any]) -> None:
    with tenant_session(tenant, actor=author.actor) as scope:
        audit.record(scope, f"{author.source}:sso:{act}", "sso", None, detail)
