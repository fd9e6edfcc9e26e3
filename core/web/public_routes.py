"""Declarations of routes without a credential: rate limit of an address, largest body, acceptance of any query.

A declaration is a dependency that does nothing: ``dependencies=[Depends(any_query)]``. The application reads it from
the route.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublicRate:
    """The rate at which one address may call one route.

    Attributes:
        burst: calls at once.
        per_minute: calls per minute after that.
    """

    burst: int = 60
    per_minute: float = 120.0

    async def __call__(self) -> None:
        """Accept every request. The application's boundary counts it."""


DEFAULT_RATE = PublicRate()
"""The rate of a public route that declares none. A clinic's people often share one address."""


PUBLIC_BODY = 65_536
"""Most bytes of the body of a request without a credential, unless the route declares more."""


@dataclass(frozen=True, slots=True)
class PublicBody:
    """The largest body of one public route, for senders whose messages are larger than ``PUBLIC_BODY``.

    Attributes:
        most: bytes.
    """

    most: int

    async def __call__(self) -> None:
        """Accept every request. The application's boundary measures it."""


class AnyQuery:
    """The type of ``any_query``."""

    async def __call__(self) -> None:
        """Accept every request."""


any_query = AnyQuery()
"""For public routes that other systems call, such as webhooks: they may send query parameters that we do not know."""
