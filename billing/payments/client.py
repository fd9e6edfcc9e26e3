"""The client of Stripe's API: stripe-python, whose requests leave by our own sender.

So every call has the guard of ``core.resilience``, goes to a checked address, and cannot be made within a transaction.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import httpx

from billing.payments.dependency import STRIPE
from core.errors import Conflict
from core.outgoing import AddressRejected, AnswerTooLarge, Request, parse_url, send
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import stripe

LARGEST_ANSWER: Final = 8_388_608
"""Bytes. A list of 100 objects with their parts has some hundred thousand."""

PAGE: Final = 100
"""Objects of one page of a list: Stripe's most."""


class StripeAway(Exception):  # noqa: N818 - named for what happened
    """Stripe could not be reached, or its answer did not come. What was sent may have taken effect."""


def enabled() -> bool:
    """Return whether this installation has an account at Stripe."""
    return get_settings().stripe_key is not None


def client() -> stripe.StripeClient:
    """Return the client of the installation's account.

    Raises:
        Conflict: there is none.
    """
    settings = get_settings()
    if settings.stripe_key is None:
        raise Conflict("this installation has no account at Stripe", remedy="Set IIT_STRIPE_KEY, or pay by transfer.")
    return _client(settings.stripe_key.get_secret_value(), settings.stripe_url)


@lru_cache(maxsize=4)
def _client(key: str, url: str) -> stripe.StripeClient:
    import stripe

    logging.getLogger("stripe").setLevel(logging.WARNING)  # it writes two lines, with addresses, for each request

    class GuardedClient(stripe.HTTPClient):
        """Sends the requests of stripe-python. Repeating is the outbox's work."""

        name = "iit"

        def request(  # type: ignore[override]  # the library's own clients omit _usage as well
            self, method: str, url: str, headers: Mapping[str, str] | None, post_data: str | None = None
        ) -> tuple[bytes, int, Mapping[str, str]]:
            """Send one request and return body, status and headers of the answer."""
            return _exchange(method, url, headers or {}, post_data)

        def close(self) -> None:
            """Close nothing: each request has its own connection."""

    return stripe.StripeClient(
        key, http_client=GuardedClient(), base_addresses={"api": url, "meter_events": url}, max_network_retries=0
    )


def _exchange(
    method: str, url: str, headers: Mapping[str, str], post_data: str | None
) -> tuple[bytes, int, Mapping[str, str]]:
    content = None if post_data is None else post_data.encode()
    try:
        request = Request(method.upper(), parse_url(url), dict(headers), content=content)
        answer = send(STRIPE, request, largest=LARGEST_ANSWER)
    except (httpx.HTTPError, OSError, AnswerTooLarge, AddressRejected) as error:
        raise StripeAway(type(error).__name__) from error
    return answer.body, answer.status, answer.headers


def write(method: str, path: str, body: Mapping[str, Any], *, key: str) -> dict[str, Any]:
    """Send a write and return the object of the answer.

    Args:
        method: ``post`` or ``delete``.
        path: of the API, with its version.
        body: the parameters.
        key: the idempotency key; Stripe ignores it for ``delete``.

    Raises:
        StripeAway: it may or may not have taken effect.
        stripe.StripeError: Stripe rejected it, or failed.
        BreakerOpen, BulkheadFull, DeadlinePassed: it was not sent.
    """
    options = {} if method == "delete" else {"idempotency_key": key}
    answer = client().raw_request(method, path, **body, **options)
    data: dict[str, Any] = answer.data
    return data


def read(path: str, **parameters: object) -> dict[str, Any]:
    """Return one object, or one page of a list.

    Raises:
        StripeAway: it could not be reached.
        stripe.StripeError: there is no such object, or Stripe failed.
        BreakerOpen, BulkheadFull, DeadlinePassed: it was not asked.
    """
    data: dict[str, Any] = client().raw_request("get", path, **parameters).data
    return data


def read_all(path: str, **parameters: object) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list, newest first, page by page.

    Raises:
        StripeAway, stripe.StripeError, BreakerOpen, BulkheadFull, DeadlinePassed: see ``read``.
    """
    after: dict[str, object] = {}
    while True:
        page = read(path, limit=PAGE, **parameters, **after)
        yield from page["data"]
        if not page.get("has_more"):
            return
        after = {"starting_after": page["data"][-1]["id"]}
