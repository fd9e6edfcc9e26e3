"""A test of a tenant's single sign-on without a person: what works, what does not, and what to do about it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from core.clock import now
from core.database import platform_session
from core.errors import phrase
from core.identity.oidc import discovery, fetching
from core.identity.oidc.fetching import ProviderFaultError
from core.identity.oidc.flows import authorization_address, redeem
from core.identity.oidc.providers import get_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.database import TenantRef
    from core.identity.oidc.discovery import Provider
    from core.identity.oidc.providers import SsoProviderState

SKEW_SECONDS: Final = 30
_REJECTED: Final = 400
_OUTSIDE: Final = text(
    "SELECT count(*) FROM platform.memberships m JOIN platform.people p ON p.id = m.person_id"
    " WHERE m.tenant_id = :tenant AND NOT EXISTS (SELECT 1 FROM platform.sso_domains d WHERE d.tenant_id = :tenant"
    " AND d.proved_at IS NOT NULL AND d.domain = split_part(p.email, '@', 2))"
)
_PROVED: Final = text("SELECT count(*) FROM platform.sso_domains WHERE tenant_id = :tenant AND proved_at IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding of one check.

    Attributes:
        problem: what is wrong; None if nothing is.
        remedy: what to do about it.
    """

    check: str
    problem: str | None = None
    remedy: str | None = None

    @property
    def ok(self) -> bool:
        """Return whether nothing is wrong."""
        return self.problem is None


def check_up(tenant: TenantRef, redirect_uri: str) -> list[Finding]:
    """Check the tenant's provider from this server: metadata, keys, clock, client and redirect address, and domains.

    Raises:
        NotFound: single sign-on is not set up.
    """
    provider = get_provider(tenant)
    findings = list(_of_provider(provider, redirect_uri))
    return [*findings, *_of_domains(tenant)]


def _of_provider(provider: SsoProviderState, redirect_uri: str) -> Iterator[Finding]:
    try:
        described = discovery.discover_now(provider.issuer)
    except ProviderFaultError as fault:
        yield Finding(fault.check, fault.problem, fault.remedy)
        return
    yield Finding("discovery")
    yield Finding("keys")
    for name, check in (("clock", _clock), ("client", _client), ("redirect_address", _redirect)):
        try:
            yield check(provider, described, redirect_uri)
        except ProviderFaultError as fault:
            yield Finding(name, fault.problem, fault.remedy)


def _clock(provider: SsoProviderState, _: Provider, __: str) -> Finding:
    answer = fetching.ask("GET", provider.issuer.rstrip("/") + discovery.WELL_KNOWN)
    try:
        skew = abs((parsedate_to_datetime(answer.headers["date"]) - now()).total_seconds())
    except (KeyError, ValueError, TypeError):
        return Finding("clock")
    if skew <= SKEW_SECONDS:
        return Finding("clock")
    remedy = "Ask the operator to set this server's clock by NTP, and whoever runs the provider to set theirs."
    return Finding("clock", f"the clocks of this server and of the provider differ by {int(skew)} seconds", remedy)


def _client(provider: SsoProviderState, described: Provider, redirect_uri: str) -> Finding:
    """Send a code that nobody issued: a provider that knows the client says that the code is wrong, not the client."""
    try:
        redeem(provider, described.metadata, code="test", verifier=secrets.token_urlsafe(32), uri=redirect_uri)
    except ProviderFaultError as fault:
        if fault.check in ("invalid_client", "unauthorized_client"):
            problem = "the provider does not accept the client id and the client secret"
            return Finding("client", problem, "Copy both from the provider again; a secret may have expired.")
        if fault.check in ("connection", "address", "secret"):
            raise
    return Finding("client")


def _redirect(provider: SsoProviderState, described: Provider, redirect_uri: str) -> Finding:
    """Open the address to which a browser would go: a provider shows an error for an address that it does not know."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    address = authorization_address(
        provider, described.metadata, redirect_uri, state=state, nonce=nonce, verifier=verifier
    )
    answer = fetching.ask("GET", address)
    if answer.status >= _REJECTED:
        problem = phrase(
            "the provider rejects a sign-in that returns to {redirect_uri} (status {status})",
            redirect_uri=redirect_uri,
            status=answer.status,
        )
        return Finding("redirect_address", problem, "Register exactly this redirect address for the client.")
    return Finding("redirect_address")


def _of_domains(tenant: TenantRef) -> Iterator[Finding]:
    with platform_session() as session:
        proved = session.execute(_PROVED, {"tenant": tenant.id}).scalar_one()
        outside = session.execute(_OUTSIDE, {"tenant": tenant.id}).scalar_one()
    if not proved:
        yield Finding("domains", "no domain is proved, so nobody is linked", "Add a domain, and publish its record.")
    elif outside:
        problem = phrase(
            "{outside} people have addresses outside the proved domains, and cannot sign in by the provider",
            outside=outside,
        )
        yield Finding("domains", problem, "Prove their domains, or invite them by another address.")
    else:
        yield Finding("domains")
