"""Pages for browsers: their routes, their security headers, and addresses that are safe to return to."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from fastapi.routing import APIRoute

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from core.web.assets import Assets
    from core.web.templates import Templates

MEDIA_TYPE = "text/html; charset=utf-8"
SEE_OTHER = HTTPStatus.SEE_OTHER.value
_LONGEST_NEXT = 1000


class PageRoute(APIRoute):
    """The class of every page's route: its errors are pages too, and its credential comes from a cookie."""


class Site:
    """The objects that all pages of one application share.

    Args:
        templates: of all features.
        assets: of all features.
        sign_in: path of the page at which people sign in; None where no feature has one.
    """

    def __init__(self, templates: Templates, assets: Assets, sign_in: str | None) -> None:
        self.templates = templates
        self.assets = assets
        self.sign_in = sign_in


def page_headers(asset_origin: str = "") -> tuple[tuple[bytes, bytes], ...]:
    """The security headers of pages.

    Args:
        asset_origin: scheme and host of the CDN that serves the assets; empty where this server does.
    """
    own = f"'self' {asset_origin}".rstrip()
    policy = (
        f"default-src 'none'; script-src {own}; style-src {own}; img-src {own} data:; font-src {own};"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return (
        (b"content-security-policy", policy.encode("ascii")),
        # With no-referrer, a browser sends "Origin: null" with the page's own forms, and no form would be accepted.
        (b"referrer-policy", b"same-origin"),
    )


def safe_next(text: str | None, otherwise: str = "/") -> str:
    r"""The address to continue at after sign-in: a path of this server, or ``otherwise`` for anything else.

    >>> safe_next("/today?facility=a"), safe_next("//elsewhere.example"), safe_next("/\\elsewhere.example")
    ('/today?facility=a', '/', '/')
    """
    if not text or len(text) > _LONGEST_NEXT or text[0] != "/" or text[1:2] in ("/", "\\"):
        return otherwise
    if any(not character.isprintable() or character in "\\ " for character in text):
        return otherwise  # browsers drop tabs and line ends, and read a backslash as a slash
    parts = urlsplit(text)
    return otherwise if parts.scheme or parts.netloc else text


def sign_in_address(sign_in: str, scope: MutableMapping[str, Any]) -> str:
    """Return the address of the sign-in page for a request without a session. After a GET it leads back."""
    if scope["method"] not in ("GET", "HEAD"):
        return sign_in
    address = quote(scope["path"], safe="/:@!$&'()*+,;=~-._")
    query = scope.get("query_string", b"").decode("latin-1")
    following = safe_next(f"{address}?{query}" if query else address, "")
    return f"{sign_in}?next={quote(following, safe='')}" if following else sign_in
