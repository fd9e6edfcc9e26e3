"""The entrance of the server: accepts only its own host names, and nothing in plain HTTP if HTTPS is required."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.responses import RedirectResponse, Response

from core.errors import Forbidden, Invalid, MisdirectedRequest

if TYPE_CHECKING:
    from starlette.types import Scope

    from core.settings import Settings

PROBES: Final = frozenset({"/health", "/health/live", "/health/ready", "/health/startup"})
"""Paths that load balancers ask by address, in plain HTTP."""

_READS: Final = frozenset({"GET", "HEAD"})
_NAME: Final = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]+\]")


class Entrance:
    """Decides which requests come in.

    Args:
        settings: ``hosts`` and ``https_only``.

    Raises:
        Invalid: an entry of ``hosts`` is not a host name.
    """

    def __init__(self, settings: Settings) -> None:
        self._names = names_of(settings.hosts)
        self._https_only = settings.https_only

    def answer(self, scope: Scope, *, to_api: bool) -> Response | None:
        """Return the redirect to HTTPS, or None for a request that comes in.

        Raises:
            MisdirectedRequest: the request names another host (421).
            Forbidden: the request came over plain HTTP, so that others could read its credential or its body. A
                redirect would hide that (403).
        """
        if scope["path"] in PROBES:
            return None
        host = _host_of(scope)
        if self._names and not _is_one_of(host, self._names):
            detail = "the request names a host that is not one of this server"
            raise MisdirectedRequest(detail)
        if not self._https_only or scope.get("scheme") == "https":
            return None
        if to_api or scope["method"] not in _READS:
            detail = "this server takes requests over HTTPS only"
            remedy = "Send it to the https:// address, with a new credential: this one was sent in the open."
            raise Forbidden(detail, remedy=remedy)
        query = scope.get("query_string", b"").decode("latin-1")
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        address = f"https://{host}{path}{f'?{query}' if query else ''}"
        return RedirectResponse(address, HTTPStatus.PERMANENT_REDIRECT)


def names_of(hosts: str) -> tuple[str, ...]:
    """Return the host names of the setting ``hosts``.

    Raises:
        Invalid: an entry is not a host name.
    """
    names = tuple(name.strip().lower() for name in hosts.split(",") if name.strip())
    if not all(_NAME.fullmatch(name) for name in names):
        detail = "IIT_HOSTS has an entry that is not a host name"
        remedy = "Write names without scheme and port, with commas between, such as care.example.org,*.example.org."
        raise Invalid(detail, remedy=remedy)
    return names


def _host_of(scope: Scope) -> str:
    """The host of a request as the client wrote it, with its port."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    return hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""


def _is_one_of(host: str, names: tuple[str, ...]) -> bool:
    bare = host.rpartition(":")[0] if re.search(r":\d{1,5}$", host) else host
    return any(bare == name or (name.startswith("*.") and bare.endswith(name[1:])) for name in names)
