"""Calls to providers: HTTPS only, to public addresses only, bounded in time, size and number.

A tenant chooses the address, so a call must not reach what only this server can reach (SSRF): the name is looked up
once, every address is checked, and the connection goes to the address that was checked.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson

from core.database import require_none
from core.errors import phrase
from core.resilience import BreakerOpen, BulkheadFull, DeadlinePassed, guarded, seconds_left
from core.resilience.dependencies import SIGN_IN_PROVIDERS
from core.settings import get_settings
from core.web.own_address import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST: Final = 262_144
_TRANSLATED: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))
"""IPv6 addresses that carry an IPv4 address, maybe a private one."""

_ADDRESS: Final = "address"
_FAULT_OF_SERVER: Final = 500


class ProviderFaultError(Exception):
    """A provider cannot be used.

    Args:
        check: what failed: ``address``, ``discovery``, ``keys``, ``token`` and so on.
        problem: what is wrong, without anything that the provider sent.
        remedy: what the tenant's admin does about it.
    """

    def __init__(self, check: str, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.check = check
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever the provider sent
        """The body as JSON; None where it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


def reject_address(address: str) -> httpx.URL:
    """Return the address as a URL if its form may be called, or be sent to a browser.

    Raises:
        ProviderFaultError: it is not an HTTPS address. A loopback address may use HTTP outside production.
    """
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, UnicodeError):
        raise _not_https() from None
    plain = url.scheme == "http" and _loopback_allowed() and is_loopback(url.host)
    if not (url.scheme == "https" or plain) or not url.host or url.userinfo or url.fragment:
        raise _not_https()
    return url


class _ServerFaultError(Exception):
    """The provider answered with a fault of its own."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class _UnboundedError(Exception):
    """The answer has no end within the bounds."""


def ask(
    method: str,
    address: str,
    *,
    form: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    bearer: str | None = None,
) -> Answer:
    """Call a provider, and return its answer whatever its status. Redirects are not followed.

    A read that fails is repeated once. Each host has a breaker and a bulkhead of its own.

    Raises:
        ProviderFaultError: the address may not be called, or nothing useful came back in time.
        TransactionOpenError: a transaction is open.
    """
    require_none("a call to a provider")
    url = reject_address(address)
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    guard = guarded(SIGN_IN_PROVIDERS, instance=url.host, harmless=(ProviderFaultError,))
    try:
        if method == "GET":
            return guard(_send)(method, url, form, auth, headers)
        with guard:
            return _send(method, url, form, auth, headers)
    except _ServerFaultError as fault:
        return fault.answer
    except _UnboundedError:
        raise ProviderFaultError(
            "connection",
            phrase("{host} sends too much, or too slowly", host=url.host),
            "Ask whoever runs the provider.",
        ) from None
    except BulkheadFull:
        problem = phrase("{host} answers slowly, and too many sign-ins wait for it", host=url.host)
        raise ProviderFaultError("connection", problem, "Try again in a minute.") from None
    except (BreakerOpen, DeadlinePassed):
        problem = phrase("{host} failed too often, and is not called for a while", host=url.host)
        raise ProviderFaultError("connection", problem, "Try again in a minute.") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        kind = type(error).__name__
        problem = phrase("{host} does not answer ({kind})", host=url.host, kind=kind)
        remedy = "Check the address, and that this server may reach it."
        raise ProviderFaultError("connection", problem, remedy) from None


def _send(
    method: str,
    url: httpx.URL,
    form: Mapping[str, str] | None,
    auth: tuple[str, str] | None,
    headers: Mapping[str, str],
) -> Answer:
    seconds = seconds_left(SIGN_IN_PROVIDERS.timeout)
    until = time.monotonic() + seconds
    port = url.port or (443 if url.scheme == "https" else 80)
    pinned = url.copy_with(host=_checked_address(url.host, port))
    with (
        httpx.Client(
            verify=_trusted(), trust_env=False, timeout=max(seconds / 2, 0.001), follow_redirects=False
        ) as client,
        client.stream(
            method,
            pinned,
            headers={"Host": url.netloc.decode("ascii"), "Accept": "application/json", **headers},
            data=None if form is None else dict(form),
            auth=auth,
            extensions={"sni_hostname": url.host},
        ) as response,
    ):
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > LARGEST or time.monotonic() > until:
                raise _UnboundedError
        answer = Answer(response.status_code, response.headers, bytes(body))
    if answer.status >= _FAULT_OF_SERVER:
        raise _ServerFaultError(answer)
    return answer


def _checked_address(host: str, port: int) -> str:
    """An IP address of the host, after a check that all its addresses may be called.

    Raises:
        ProviderFaultError: one of its addresses is private.
        OSError: it has none.
    """
    addresses = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    for text in sorted(addresses):
        if not _may_be_called(text.partition("%")[0]):
            problem = phrase("{host} has an address inside this network", host=host)
            remedy = "Use the provider's public address, or ask the operator to set IIT_SSO_PRIVATE_ADDRESSES."
            raise ProviderFaultError(_ADDRESS, problem, remedy)
    return min(addresses, key=lambda text: (":" in text, text))


def _may_be_called(text: str) -> bool:
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback and _loopback_allowed():
        return True
    if get_settings().sso_private_addresses:
        return not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified)
    hidden = any(address in network for network in _TRANSLATED if network.version == address.version)
    return address.is_global and not address.is_multicast and not hidden


def _loopback_allowed() -> bool:
    return get_settings().environment != "production"


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()


def _not_https() -> ProviderFaultError:
    return ProviderFaultError(
        _ADDRESS, "the address is not an HTTPS address", "Give it as https://sign-in.example.org."
    )
