"""Cookies with credentials: HttpOnly, SameSite, and bound to this host if the connection is encrypted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from starlette.responses import Response

HOST_PREFIX = "__Host-"
"""Prefix of a cookie's name. A browser accepts such a cookie only from this host over HTTPS, so no other host can set
it.
"""


def is_secure(scope: MutableMapping[str, Any]) -> bool:
    """Return whether the client's connection is encrypted, as far as this server knows (``IIT_PROXIES``)."""
    return bool(scope.get("scheme") == "https")


def cookie_name(name: str, *, secure: bool) -> str:
    """The name that a cookie has on the wire.

    >>> cookie_name("iit_session", secure=True), cookie_name("iit_session", secure=False)
    ('__Host-iit_session', 'iit_session')
    """
    return f"{HOST_PREFIX}{name}" if secure else name


def set_credential(
    response: Response, scope: MutableMapping[str, Any], name: str, secret: str, *, seconds: int | None = None
) -> None:
    """Give the browser a credential.

    Args:
        response: the answer that carries the cookie.
        scope: of the request.
        name: without the prefix, as in ``credentials.cookie(name)``.
        secret: the credential.
        seconds: how long the browser stores it; until it is closed when None.
    """
    secure = is_secure(scope)
    response.set_cookie(
        cookie_name(name, secure=secure),
        secret,
        max_age=seconds,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def clear_credential(response: Response, scope: MutableMapping[str, Any], name: str) -> None:
    """Make the browser delete a credential."""
    secure = is_secure(scope)
    response.delete_cookie(cookie_name(name, secure=secure), path="/", secure=secure, httponly=True, samesite="lax")
