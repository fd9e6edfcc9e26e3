"""The address of this server: as a request names it, and as other people reach it."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from core.errors import Conflict
from core.settings import get_settings

if TYPE_CHECKING:
    from starlette.requests import Request

_PORT: Final = re.compile(r":\d{1,5}$")


def own_origin(request: Request) -> str:
    """Return scheme and host by which the sender reaches this server, such as ``https://care.example.org``."""
    return f"{request.scope.get('scheme', 'http')}://{request.headers.get('host', '')}"


def public_origin(request: Request) -> str:
    """Return scheme and host for links to other people, such as ``https://care.example.org``.

    It is that of ``IIT_PUBLIC_URL``. Without one it is the host that the request names, if that is one of
    ``IIT_HOSTS`` or this machine. Any other host could be an attacker's, who would get the secret of the link.

    Raises:
        Conflict: the settings name no address (409).
    """
    settings = get_settings()
    if settings.public_url:
        return settings.public_url.rstrip("/")
    # With IIT_HOSTS, the application has rejected requests that name another host.
    if settings.hosts or is_loopback(_PORT.sub("", request.headers.get("host", "")).strip("[]").lower()):
        return own_origin(request)
    detail = "the installation has no public address, so a link cannot be made"
    raise Conflict(detail, remedy="Ask the operator of the installation to set IIT_PUBLIC_URL.")


def origin_for_caller(request: Request) -> str:
    """Return scheme and host of this server for the sender of the request alone: that of ``IIT_PUBLIC_URL``, if set.

    Never put it into what other people receive; see ``public_origin``.
    """
    public_url = get_settings().public_url
    return public_url.rstrip("/") if public_url else own_origin(request)


def is_loopback(host: str) -> bool:
    """Return whether a host, in lower case and without a port, is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
