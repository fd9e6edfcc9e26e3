"""Verification of a provider's tokens. The key comes from the provider's published keys, never from the token."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwt import JWTClaimsRegistry

from core.identity.oidc import discovery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.identity.oidc.discovery import Provider

LEEWAY_SECONDS: Final = 60
LARGEST: Final = 32_768
LOGOUT_TYPE: Final = "logout+jwt"
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_AGE_SECONDS: Final = 600
_TEXT_MAX: Final = 255


class TokenRejectedError(Exception):
    """A token is not valid.

    Args:
        check: what failed, without anything of the token.
    """

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """The verified content of a logout token: whose session ends, or which."""

    jti: str
    expires_at: float
    subject: str | None
    provider_session: str | None


def verify_id_token(
    token: str, provider: Provider, *, client_id: str, nonce: str, access_token: str | None
) -> Mapping[str, Any]:
    """Return the claims of an ID token that answers one sign-in.

    Raises:
        TokenRejectedError: signature, algorithm, issuer, audience, nonce or time is wrong.
        ProviderFaultError: the provider's new keys cannot be fetched.
    """
    issuer = provider.metadata.issuer
    decoded = _decoded(token, provider)
    if str(decoded.header.get("typ", "JWT")).upper() != "JWT":
        raise TokenRejectedError("typ")
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        {
            "iss": {"essential": True, "value": issuer},
            "sub": {"essential": True},
            "aud": {"essential": True, "value": client_id},
        },
        {"nonce": nonce, "client_id": client_id, "access_token": access_token},
    )
    try:
        claims.validate(leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError) as error:
        raise TokenRejectedError(_named(error)) from None
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= _TEXT_MAX:
        raise TokenRejectedError("sub")
    return dict(claims)


def verify_logout_token(token: str, provider: Provider, *, client_id: str) -> LogoutToken:
    """Return whose session a logout token ends (OpenID Connect Back-Channel Logout 1.0, section 2.6).

    Raises:
        TokenRejectedError: it is not valid, or no logout token.
        ProviderFaultError: the provider's new keys cannot be fetched.
    """
    decoded = _decoded(token, provider)
    claims, issuer = decoded.claims, provider.metadata.issuer
    if str(decoded.header.get("typ", "")).lower() != LOGOUT_TYPE:
        raise TokenRejectedError("typ")
    registry = JWTClaimsRegistry(
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        iat={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
    )
    try:
        registry.validate(claims)
    except JoseError as error:
        raise TokenRejectedError(_named(error)) from None
    if time.time() - claims["iat"] > LOGOUT_AGE_SECONDS:
        raise TokenRejectedError("iat")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise TokenRejectedError("events")
    if "nonce" in claims:
        raise TokenRejectedError("nonce")  # an ID token must never pass as a logout token
    subject, session = _text(claims, "sub"), _text(claims, "sid")
    if subject is None and session is None:
        raise TokenRejectedError("sub")
    expires_at = min(float(claims["exp"]), time.time() + LOGOUT_AGE_SECONDS) + LEEWAY_SECONDS
    return LogoutToken(str(claims["jti"])[:_TEXT_MAX], expires_at, subject, session)


def _decoded(token: str, provider: Provider) -> jwt.Token:
    """The token with a signature of the provider, whose keys are fetched one time more for an unknown key id.

    Raises:
        TokenRejectedError: it has none.
        ProviderFaultError: the keys cannot be fetched.
    """
    if len(token) > LARGEST:
        raise TokenRejectedError("size")
    algorithms = provider.metadata.algorithms
    try:
        return jwt.decode(token, provider.keys, algorithms=algorithms)
    except InvalidKeyIdError:
        provider = discovery.refreshed(provider.metadata.issuer, provider)
    except (JoseError, ValueError) as error:
        raise TokenRejectedError(_named(error)) from None
    try:
        return jwt.decode(token, provider.keys, algorithms=algorithms)
    except (JoseError, ValueError) as error:
        raise TokenRejectedError(_named(error)) from None


def _named(error: Exception) -> str:
    """What failed: the claim, or the kind of fault."""
    claim = getattr(error, "claim", None)
    return claim if isinstance(claim, str) and claim else getattr(error, "error", "signature") or "signature"


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _TEXT_MAX:
        raise TokenRejectedError(name)
    return value
