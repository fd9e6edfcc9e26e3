"""One sign-in at a provider: authorization code with PKCE, bound to one browser, used one time."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from uuid import UUID

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from sqlalchemy import text

from core import audit, telemetry
from core.clock import now
from core.database import platform_session, tenant_session
from core.errors import phrase
from core.identity.oidc import discovery, fetching
from core.identity.oidc.accounts import SsoAccount, account_of
from core.identity.oidc.errors import SignInRejected
from core.identity.oidc.fetching import ProviderFaultError
from core.identity.oidc.providers import SsoProviderState, active_provider, seal_text
from core.identity.oidc.tokens import TokenRejectedError, verify_id_token
from core.identity.people import sessions, sign_in_events
from core.identity.secrets import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.identity.oidc.discovery import Metadata
    from core.identity.people.sessions import NewSession

COOKIE: Final = "iit_sso"
LASTS: Final = timedelta(minutes=10)
SCOPE: Final = "openid email profile"
_OK: Final = 200
_TEXT_MAX: Final = 255
log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BegunFlow:
    """A sign-in that has begun.

    Attributes:
        address: of the provider; the browser goes there.
        secret: for the cookie that binds the sign-in to the browser.
    """

    address: str
    secret: str


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """The parameters with which the provider sends the browser back."""

    state: str
    code: str = ""
    issuer: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CompletedFlow:
    """A new session, and the path where the person was going."""

    session: NewSession
    following: str


def begin_flow(provider: SsoProviderState, *, redirect_uri: str, following: str) -> BegunFlow:
    """Begin a sign-in at the tenant's provider.

    Raises:
        SignInRejected: the provider cannot be used at the moment.
    """
    try:
        metadata = discovery.discover(provider.issuer).metadata
    except ProviderFaultError as fault:
        raise _rejected(provider, "provider", fault.check) from None
    state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
    moment = now()
    with platform_session() as session:
        session.execute(text("DELETE FROM platform.sso_flows WHERE expires_at < :now"), {"now": moment})
        session.execute(
            text(
                "INSERT INTO platform.sso_flows (state_digest, browser_digest, tenant_id, issuer, nonce, code_verifier,"
                " redirect_uri, following, expires_at) VALUES (:state, :browser, :tenant, :issuer, :nonce, :verifier,"
                " :redirect_uri, :following, :expires)"
            ),
            {
                "state": digest_of(state),
                "browser": digest_of(browser),
                "tenant": provider.tenant.id,
                "issuer": provider.issuer,
                "nonce": nonce,
                "verifier": verifier,
                "redirect_uri": redirect_uri,
                "following": following,
                "expires": moment + LASTS,
            },
        )
    address = authorization_address(provider, metadata, redirect_uri, state=state, nonce=nonce, verifier=verifier)
    return BegunFlow(address, browser)


def authorization_address(
    provider: SsoProviderState, metadata: Metadata, redirect_uri: str, *, state: str, nonce: str, verifier: str
) -> str:
    """The address at which the provider asks the person to sign in."""
    return str(
        prepare_grant_uri(
            metadata.authorization_endpoint,
            provider.client_id,
            "code",
            redirect_uri=redirect_uri,
            scope=SCOPE,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
    )


def complete_flow(answer: ProviderAnswer, browser_secret: str, *, device: str = "") -> CompletedFlow:
    """Begin a session of the person whom the provider signed in.

    Raises:
        SignInRejected: the sign-in is not one of this browser, or the provider's answer is not valid.
    """
    flow = _take(answer.state, browser_secret)
    provider = active_provider(UUID(str(flow["tenant_id"])))
    if provider is None or provider.issuer != flow["issuer"]:
        raise SignInRejected("expired", "provider")
    try:
        claims, id_token = _claims(provider, flow, answer)
        account = account_of(provider, claims)
    except ProviderFaultError as fault:
        raise _rejected(provider, "provider", fault.check) from None
    except TokenRejectedError as error:
        raise _rejected(provider, "token", error.check) from None
    except SignInRejected as error:
        raise _rejected(provider, error.reason, error.check) from None
    return CompletedFlow(_begin_session(provider, account, claims, id_token, device), flow["following"])


def _take(state: str, browser_secret: str) -> Mapping[Any, Any]:
    """The flow with this state, which is deleted: a state works one time, whatever follows.

    Raises:
        SignInRejected: there is none, it has expired, or another browser began it.
    """
    if not browser_secret:
        raise SignInRejected("expired", "browser")
    with platform_session() as session:
        row = (
            session.execute(
                text(
                    "DELETE FROM platform.sso_flows WHERE state_digest = :state AND browser_digest = :browser"
                    " AND expires_at > :now RETURNING tenant_id, issuer, nonce, code_verifier, redirect_uri, following"
                ),
                {"state": digest_of(state), "browser": digest_of(browser_secret), "now": now()},
            )
            .mappings()
            .first()
        )
    if row is None:
        raise SignInRejected("expired", "state")
    return row


def _claims(
    provider: SsoProviderState, flow: Mapping[Any, Any], answer: ProviderAnswer
) -> tuple[Mapping[str, Any], str]:
    """The verified claims of the ID token that the code was exchanged for, and the token.

    Raises:
        SignInRejected: the answer is another provider's, or an error.
        ProviderFaultError: the provider does not answer, or rejects the code.
        TokenRejectedError: the ID token is not valid.
    """
    described = discovery.discover(provider.issuer)
    metadata = described.metadata
    missing = answer.issuer is None and metadata.authorization_response_iss_parameter_supported
    if missing or answer.issuer not in (None, provider.issuer):
        raise SignInRejected("token", "response_iss")  # mix-up (RFC 9207): another provider's answer
    if answer.error is not None or not answer.code:
        raise SignInRejected("declined", "error")
    tokens = redeem(provider, metadata, code=answer.code, verifier=flow["code_verifier"], uri=flow["redirect_uri"])
    id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
    access = access_token if isinstance(access_token, str) else None
    if not isinstance(id_token, str):
        raise ProviderFaultError("token", "the provider sends no ID token", "Allow the scope openid for this client.")
    claims = verify_id_token(
        id_token,
        described,
        client_id=provider.client_id,
        nonce=flow["nonce"],
        access_token=access,
    )
    if "email" not in claims and access is not None and metadata.userinfo_endpoint is not None:
        claims = {**_user_info(metadata.userinfo_endpoint, access, claims["sub"]), **claims}
    return claims, id_token


def _user_info(address: str, access_token: str, subject: str) -> Mapping[str, Any]:
    """The claims that a provider gives at its own address instead of in the ID token.

    Raises:
        ProviderFaultError: it does not answer with claims.
        TokenRejectedError: the claims are of another subject.
    """
    answer = fetching.ask("GET", address, bearer=access_token)
    claims = answer.json()
    if answer.status != _OK or not isinstance(claims, dict):
        problem = phrase("the provider gives no claims of the person (status {status})", status=answer.status)
        raise ProviderFaultError("user_info", problem, "Let the ID token contain the claim email.")
    if claims.get("sub") != subject:
        raise TokenRejectedError("user_info_sub")
    return claims


def redeem(provider: SsoProviderState, metadata: Metadata, *, code: str, verifier: str, uri: str) -> Mapping[str, Any]:
    """Exchange a code for tokens.

    Raises:
        ProviderFaultError: the provider does not answer, or rejects the code; ``check`` is the provider's error code.
    """
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": uri, "code_verifier": verifier}
    secret = provider.secret()
    auth = None
    if secret is None:
        form["client_id"] = provider.client_id
    elif "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
        auth = (quote(provider.client_id, safe=""), quote(secret, safe=""))
    else:
        form |= {"client_id": provider.client_id, "client_secret": secret}
    answer = fetching.ask("POST", metadata.token_endpoint, form=form, auth=auth)
    tokens = answer.json()
    if answer.status != _OK or not isinstance(tokens, dict):
        error = tokens.get("error") if isinstance(tokens, dict) else None
        known = error if error in ("invalid_client", "invalid_grant", "unauthorized_client") else "token"
        problem = phrase(
            "the provider rejects the exchange of the code ({known}, status {status})",
            known=known,
            status=answer.status,
        )
        raise ProviderFaultError(known, problem, "Check the client id and the client secret.")
    return tokens


def _begin_session(
    provider: SsoProviderState, account: SsoAccount, claims: Mapping[str, Any], id_token: str, device: str
) -> NewSession:
    tenant, sid = provider.tenant, claims.get("sid")
    sealed = seal_text(tenant, id_token, "id_token")
    with platform_session() as session:
        begun = sessions.begin(
            session,
            account.person_id,
            tenant.id,
            signed_in_by="oidc",
            device=device,
            more={"linked": account.linked, "roles": account.roles},
        )
        session.execute(
            text(
                "INSERT INTO platform.sso_sessions (session_id, tenant_id, issuer, subject, provider_session,"
                " sealed_id_token) VALUES (:session, :tenant, :issuer, :subject, :sid, :sealed)"
            ),
            {
                "session": begun.id,
                "tenant": tenant.id,
                "issuer": provider.issuer,
                "subject": claims["sub"],
                "sid": sid if isinstance(sid, str) and len(sid) <= _TEXT_MAX else None,
                "sealed": sealed,
            },
        )
    sign_in_events.copy_of(account.person_id)
    return begun


def _rejected(provider: SsoProviderState, reason: str, check: str | None) -> SignInRejected:
    """The rejection, after it was recorded in the tenant's audit, where its admin looks for the cause."""
    with tenant_session(provider.tenant, actor="system:sso") as scope:
        audit.record(scope, "page:sso:reject", "sso", None, {"reason": reason, "check": check})
    log.info("sign-in by a provider rejected", tenant=provider.tenant.slug, reason=reason, check=check)
    return SignInRejected(reason, check)
