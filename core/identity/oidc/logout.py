"""Signing out in both directions: from here at the provider, and by the provider here (back-channel)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from authlib.common.urls import add_params_to_uri
from sqlalchemy import text

from core import audit, telemetry
from core.clock import now
from core.database import platform_session, tenant_session
from core.errors import BadRequest
from core.identity.oidc import discovery
from core.identity.oidc.fetching import ProviderFaultError
from core.identity.oidc.providers import active_provider, unseal_text
from core.identity.oidc.tokens import TokenRejectedError, verify_logout_token
from core.privacy.errors import CannotDecrypt

if TYPE_CHECKING:
    from core.identity.oidc.providers import SsoProviderState
    from core.identity.oidc.tokens import LogoutToken

log = telemetry.get_logger(__name__)
_END: Final = text(
    "UPDATE platform.sessions s SET revoked_at = :now FROM platform.sso_sessions o WHERE o.session_id = s.id"
    " AND s.revoked_at IS NULL AND o.tenant_id = :tenant AND o.issuer = :issuer"
    " AND (CAST(:subject AS text) IS NULL OR o.subject = :subject)"
    " AND (CAST(:sid AS text) IS NULL OR o.provider_session = :sid) RETURNING s.id"
)


def end_session_address(session_id: UUID, returning_to: str) -> str | None:
    """The address at which the provider ends its own session, too.

    None if a provider did not begin the session, or knows no such address.
    """
    with platform_session() as session:
        row = session.execute(
            text("SELECT tenant_id, issuer, sealed_id_token FROM platform.sso_sessions WHERE session_id = :id"),
            {"id": session_id},
        ).first()
    provider = None if row is None else active_provider(UUID(str(row.tenant_id)))
    if row is None or provider is None or provider.issuer != row.issuer:
        return None
    try:
        address = discovery.discover(provider.issuer).metadata.end_session_endpoint
        hint = unseal_text(provider.tenant, row.sealed_id_token, "id_token")
    except (ProviderFaultError, CannotDecrypt):
        return None
    if address is None:
        return None
    values = [("id_token_hint", hint), ("client_id", provider.client_id), ("post_logout_redirect_uri", returning_to)]
    return str(add_params_to_uri(address, values))


def end_by_provider(tenant_id: UUID, token: str) -> int:
    """End the sessions that a logout token names, and return how many.

    Raises:
        BadRequest: the token is not valid, or was used already (400).
    """
    provider = active_provider(tenant_id)
    if provider is None:
        raise _not_valid()
    try:
        described = discovery.discover(provider.issuer)
        logout = verify_logout_token(token, described, client_id=provider.client_id)
    except TokenRejectedError as error:
        log.info("logout token rejected", tenant=provider.tenant.slug, check=error.check)
        raise _not_valid() from None
    except ProviderFaultError as fault:
        log.info("logout token not checked", tenant=provider.tenant.slug, check=fault.check)
        raise _not_valid() from None
    return _end(provider, logout)


def _end(provider: SsoProviderState, logout: LogoutToken) -> int:
    digest = hashlib.sha256(f"{provider.tenant.id}\0{provider.issuer}\0{logout.jti}".encode()).digest()
    moment = now()
    with platform_session() as session:
        session.execute(text("DELETE FROM platform.sso_logout_tokens WHERE expires_at < :now"), {"now": moment})
        fresh = session.execute(
            text(
                "INSERT INTO platform.sso_logout_tokens (digest, expires_at) VALUES (:digest, :expires)"
                " ON CONFLICT DO NOTHING RETURNING 1"
            ),
            {"digest": digest, "expires": datetime.fromtimestamp(logout.expires_at, UTC)},
        ).first()
        if fresh is None:
            raise _not_valid()
        values = {"tenant": provider.tenant.id, "issuer": provider.issuer, "now": moment}
        ended = session.execute(_END, {**values, "subject": logout.subject, "sid": logout.provider_session}).all()
        if ended:
            with tenant_session(provider.tenant, actor="system:sso") as scope:
                audit.record(scope, "api:sso:log_out", "sso", None, {"sessions": [str(row.id) for row in ended]})
    return len(ended)


def _not_valid() -> BadRequest:
    detail = "the logout token is not valid"
    return BadRequest(detail, remedy="Send a new logout token of the tenant's provider, as a form.")
