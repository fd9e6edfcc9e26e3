"""Domains of e-mail addresses: claimed by a tenant, proved by a TXT record, and then the tenant's alone."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from core import audit
from core.clock import now
from core.database import platform_session, require_none, tenant_session
from core.errors import Conflict, FieldError, Invalid, NotFound, Unavailable, phrase
from core.resilience import guarded, seconds_left
from core.resilience.dependencies import NAME_SERVERS

if TYPE_CHECKING:
    from core.database import TenantRef
    from core.identity.oidc.author import Author

PREFIX: Final = "iit-verify="
MOST: Final = 50
DOMAIN_MAX: Final = 253
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}")
_NO_SUCH: Final = "the tenant claims no such domain"
_COLUMNS: Final = "id, domain, challenge, created_at, checked_at, proved_at"


class DomainProver(Protocol):
    """Reads what the owner of a domain publishes."""

    def txt_records(self, domain: str) -> list[str]:
        """The TXT records of the domain; none where it has none.

        Raises:
            Unavailable: the servers of the domain do not answer (503).
        """


class DnsProver:
    """Asks the domain's name servers."""

    def txt_records(self, domain: str) -> list[str]:
        """The TXT records of the domain, by the resolver of this machine.

        Raises:
            Unavailable: the servers of the domain do not answer (503).
        """
        from dns.exception import DNSException
        from dns.resolver import NXDOMAIN, NoAnswer, Resolver

        try:
            answer = Resolver().resolve(f"{domain}.", "TXT", lifetime=seconds_left(NAME_SERVERS.timeout))
        except (NXDOMAIN, NoAnswer):
            return []
        except DNSException:
            detail = "the name servers of the domain do not answer"
            raise Unavailable(detail, remedy="Check the domain's name servers, then try again.") from None
        return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]


prover: DomainProver = DnsProver()
"""What ``check_domain`` asks. Tests put their own here."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain that a tenant claims."""

    id: UUID
    domain: str
    challenge: str
    created_at: datetime
    checked_at: datetime | None
    proved_at: datetime | None

    @property
    def record(self) -> str:
        """The TXT record to publish at the domain."""
        return f"{PREFIX}{self.challenge}"


def list_domains(tenant: TenantRef) -> list[Domain]:
    """Return the domains that the tenant claims, by name."""
    with platform_session() as session:
        rows = session.execute(
            text(
                f"SELECT {_COLUMNS} FROM platform.sso_domains WHERE tenant_id = :tenant ORDER BY domain"  # noqa: S608 - constants
            ),
            {"tenant": tenant.id},
        ).mappings()
        return [Domain(**row) for row in rows]


def get_domain(tenant: TenantRef, domain_id: UUID) -> Domain:
    """Return one domain that the tenant claims.

    Raises:
        NotFound: it claims no such domain.
    """
    with platform_session() as session:
        row = (
            session.execute(
                text(f"SELECT {_COLUMNS} FROM platform.sso_domains WHERE tenant_id = :tenant AND id = :id"),  # noqa: S608
                {"tenant": tenant.id, "id": domain_id},
            )
            .mappings()
            .first()
        )
    if row is None:
        raise NotFound(_NO_SUCH)
    return Domain(**row)


def claim_domain(tenant: TenantRef, domain: str, author: Author) -> Domain:
    """Claim a domain, and return the record that proves it. Several tenants may claim one; one can prove it.

    Raises:
        Invalid: it is not a domain name.
        Conflict: the tenant claims it already, or claims too many.
    """
    name, domain_id = _normal(domain), uuid7()
    with platform_session() as session:
        total = session.execute(
            text("SELECT count(*) FROM platform.sso_domains WHERE tenant_id = :tenant"), {"tenant": tenant.id}
        ).scalar_one()
        if total >= MOST:
            detail = phrase("the tenant claims {count} domains already", count=MOST)
            raise Conflict(detail, remedy="Remove one that is not needed.")
        added = session.execute(
            text(
                "INSERT INTO platform.sso_domains (id, tenant_id, domain, challenge, created_at, created_by)"
                " VALUES (:id, :tenant, :domain, :challenge, :now, :actor) ON CONFLICT (tenant_id, domain) DO NOTHING"
                " RETURNING id"
            ),
            {
                "id": domain_id,
                "tenant": tenant.id,
                "domain": name,
                "challenge": secrets.token_urlsafe(24),
                "now": now(),
                "actor": author.actor,
            },
        ).first()
        if added is None:
            detail = "the tenant claims this domain already"
            raise Conflict(detail, remedy="Publish the record that it has, and check it.")
        _record(tenant, author, "add", domain_id)
    return get_domain(tenant, domain_id)


def check_domain(tenant: TenantRef, domain_id: UUID, author: Author) -> Domain:
    """Look for the record of a domain. The domain is proved if it is there, and no longer if it is gone.

    Raises:
        NotFound: the tenant claims no such domain.
        Conflict: another tenant has proved it.
        Unavailable: the domain's name servers do not answer, or did not a moment ago.
    """
    domain = get_domain(tenant, domain_id)
    require_none("a look-up of a domain")
    with guarded(NAME_SERVERS, instance=domain.domain, tenant=tenant.slug):
        records = prover.txt_records(domain.domain)
    published = domain.record in (record.strip() for record in records)
    try:
        with platform_session() as session:
            session.execute(
                text(
                    "UPDATE platform.sso_domains SET checked_at = :now, proved_at = CASE WHEN :published"
                    " THEN coalesce(proved_at, :now) END WHERE id = :id AND tenant_id = :tenant"
                ),
                {"id": domain_id, "tenant": tenant.id, "published": published, "now": now()},
            )
            session.flush()
            if published != (domain.proved_at is not None):
                _record(tenant, author, "prove" if published else "lose", domain_id)
    except IntegrityError:
        detail = "another partner has proved this domain"
        remedy = "Ask the operator of the installation which partner that is."
        raise Conflict(detail, remedy=remedy) from None
    return get_domain(tenant, domain_id)


def remove_domain(tenant: TenantRef, domain_id: UUID, author: Author) -> None:
    """Remove a domain. People who signed in before still can; nobody new of this domain.

    Raises:
        NotFound: the tenant claims no such domain.
    """
    get_domain(tenant, domain_id)
    with platform_session() as session:
        session.execute(
            text("DELETE FROM platform.sso_domains WHERE tenant_id = :tenant AND id = :id"),
            {"tenant": tenant.id, "id": domain_id},
        )
        _record(tenant, author, "remove", domain_id)


def domain_of(email: str) -> str:
    """The domain of an e-mail address as it is stored; empty if it has none."""
    try:
        return _normal(email.rpartition("@")[2])
    except Invalid:
        return ""


def _normal(domain: str) -> str:
    """The form in which domains are stored and compared.

    Raises:
        Invalid: it is not a domain name.
    """
    try:
        name = domain.strip().removeprefix("@").rstrip(".").lower().encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    if len(name) > DOMAIN_MAX or not _DOMAIN.fullmatch(name):
        detail = "the domain is not valid"
        raise Invalid(detail, errors=[FieldError("domain", "is not a domain name", "Write it as example.org.")])
    return name


def _record(tenant: TenantRef, author: Author, act: str, domain_id: UUID) -> None:
    with tenant_session(tenant, actor=author.actor) as scope:
        audit.record(scope, f"{author.source}:sso_domain:{act}", "sso_domain", domain_id)
