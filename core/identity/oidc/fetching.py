"""Calls to providers: HTTPS only, to public addresses only, bounded in time, size and number.

A tenant chooses the address; ``core.outgoing`` checks it before the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx

from core.database import require_none
from core.errors import phrase
from core.outgoing import AddressRejected, Answer, AnswerTooLarge, Request, parse_url, send
from core.resilience import BreakerOpen, BulkheadFull, DeadlinePassed
from core.resilience.dependencies import SIGN_IN_PROVIDERS
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

_ADDRESS: Final = "address"


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


def reject_address(address: str) -> httpx.URL:
    """Return the address as a URL if its form may be called, or be sent to a browser.

    Raises:
        ProviderFaultError: it is not an HTTPS address. A loopback address may use HTTP outside production.
    """
    try:
        return parse_url(address)
    except AddressRejected:
        raise _not_https() from None


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
    try:
        return send(
            SIGN_IN_PROVIDERS,
            Request(method, url, headers=headers, form=form, auth=auth),
            private=get_settings().sso_private_addresses,
            repeatable=method == "GET",
        )
    except AddressRejected:
        problem = phrase("{host} has an address inside this network", host=url.host)
        remedy = "Use the provider's public address, or ask the operator to set IIT_SSO_PRIVATE_ADDRESSES."
        raise ProviderFaultError(_ADDRESS, problem, remedy) from None
    except AnswerTooLarge:
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


def _not_https() -> ProviderFaultError:
    return ProviderFaultError(
        _ADDRESS, "the address is not an HTTPS address", "Give it as https://sign-in.example.org."
    )
