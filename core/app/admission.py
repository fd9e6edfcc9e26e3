"""Turns of requests: how many run at once in all, of one tenant, and from one address.

A turn is a thread and a database connection. A tenant has a share of them, so that the others never wait for it, and
so has an address; a request that waits for its client, to read an answer for instance, gives its turn to another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Self, TypeVar

import anyio

from core.errors import TooManyRequests, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

WAITING = 64
"""Requests of one tenant, or from one address, that may be under way or waiting; each may hold a body of 64 KiB."""

WAITING_IN_ALL = 1024

PUBLIC_WAITING = 256
"""Requests without a credential that may be under way or waiting."""

PUBLIC_OF_ADDRESS = 16
"""And how many of them from one address."""

Key = TypeVar("Key")


@dataclass(slots=True)
class Share:
    """What one tenant, or one address, has under way."""

    turns: anyio.CapacityLimiter
    long: anyio.CapacityLimiter
    requests: int = 0


@dataclass(slots=True)
class Shares(Generic[Key]):
    """A share for each tenant, or for each address, for as long as it has requests under way.

    Attributes:
        turns: that one may have at once.
        who: what the refusal calls it.
        waiting: requests of one that may be under way or waiting; ``WAITING`` when None.
    """

    turns: int
    who: str
    waiting: int | None = None
    _shares: dict[Key, Share] = field(default_factory=dict)

    def enter(self, key: Key) -> Share:
        """The share of ``key``, with one more request under way; ``leave`` takes it off again.

        Raises:
            TooManyRequests: it has too many already (429).
        """
        share = self._shares.get(key)
        if share is None:
            # Long requests have half a share: whoever uploads slowly goes on being answered.
            share = Share(anyio.CapacityLimiter(self.turns), anyio.CapacityLimiter(max(1, self.turns // 2)))
            self._shares[key] = share
        most = WAITING if self.waiting is None else self.waiting
        if share.requests >= most:
            detail = f"{self.who} has {most} requests under way"
            raise TooManyRequests(detail, retry_after=1)
        share.requests += 1
        return share

    def leave(self, key: Key) -> None:
        """One of its requests is over."""
        share = self._shares[key]
        share.requests -= 1
        if not share.requests:
            del self._shares[key]


class Turn:
    """The turn of one request: limits that it holds together, in one order for all."""

    def __init__(self, limits: tuple[anyio.CapacityLimiter, ...], patience: float) -> None:
        self._limits = limits
        self._patience = patience
        self._held: list[anyio.CapacityLimiter] = []

    async def take(self) -> None:
        """Wait for the turn.

        Raises:
            Unavailable: it did not come in time (503).
        """
        try:
            for limit in self._limits:
                limit.acquire_on_behalf_of_nowait(self)
                self._held.append(limit)
        except anyio.WouldBlock:
            await self._wait()

    async def _wait(self) -> None:
        try:
            with anyio.fail_after(self._patience):
                for limit in self._limits[len(self._held) :]:
                    await limit.acquire_on_behalf_of(self)
                    self._held.append(limit)
        except BaseException as error:
            self.leave()
            if not isinstance(error, TimeoutError):
                raise
            detail = "too many requests are being served at once"
            raise Unavailable(detail, retry_after=max(1, round(self._patience))) from None

    def leave(self) -> None:
        """Give the turn to the next; nothing happens when it is not held."""
        while self._held:
            self._held.pop().release_on_behalf_of(self)


class Turns:
    """The turns of one process.

    Args:
        concurrency: requests that run at once; as many as there are database connections, so that no request waits for
            a connection while it holds a thread that the holder of the connection needs.
        patience: seconds that a request waits for its turn.
    """

    def __init__(self, concurrency: int, patience: float) -> None:
        self._patience = patience
        self._all = anyio.CapacityLimiter(concurrency)
        self._long = anyio.CapacityLimiter(max(1, concurrency // 2))
        self.waiting = 0
        self.tenants: Shares[UUID | str] = Shares(max(1, concurrency // 3), "the organisation")
        # Behind a proxy that is not declared everybody has one address.
        self.addresses: Shares[str] = Shares(max(1, concurrency * 3 // 4), "the client's address")
        self.public: Shares[str] = Shares(max(1, concurrency // 3), "the public part of the server", PUBLIC_WAITING)
        self.public_addresses: Shares[str] = Shares(max(1, concurrency // 6), "the client's address", PUBLIC_OF_ADDRESS)

    def enter(self, tenant: UUID | str, address: str) -> Place:
        """A place among those who wait and who are served.

        Raises:
            TooManyRequests: the tenant or the address has too many requests under way (429).
            Unavailable: all have (503).
        """
        return self._enter(self.tenants, tenant, self.addresses, address)

    def enter_public(self, address: str) -> Place:
        """A place of a request without a credential. All of them together have the share of one tenant.

        Raises:
            TooManyRequests: they or the address have too many requests under way (429).
            Unavailable: all have (503).
        """
        return self._enter(self.public, "", self.public_addresses, address)

    def _enter(self, shares: Shares[Key], key: Key, addresses: Shares[str], address: str) -> Place:
        if self.waiting >= WAITING_IN_ALL:
            detail = "too many requests are waiting"
            raise Unavailable(detail, retry_after=max(1, round(self._patience)))
        of_address = addresses.enter(address)  # first, so that one address does not use up what all share
        try:
            share = shares.enter(key)
        except TooManyRequests:
            addresses.leave(address)
            raise
        self.waiting += 1

        def leave() -> None:
            self.waiting -= 1
            shares.leave(key)
            addresses.leave(address)

        return Place(self, leave, (share, of_address))

    def turn(self, shares: tuple[Share, ...], *, long: bool) -> Turn:
        """The turn of a request that counts to these shares; a long one may hold it only beside a few others."""
        own = [limit for share in shares for limit in ((share.long, share.turns) if long else (share.turns,))]
        return Turn((*own, *((self._long, self._all) if long else (self._all,))), self._patience)


class Place:
    """The place of one request, for as long as it is under way. Used as a context manager."""

    def __init__(self, turns: Turns, leave: Callable[[], None], shares: tuple[Share, ...]) -> None:
        self._turns = turns
        self._leave = leave
        self._shares = shares
        self._turn: Turn | None = None

    def turn(self, *, long: bool) -> Turn:
        """The turn of the request, which is not taken yet."""
        self._turn = self._turns.turn(self._shares, long=long)
        return self._turn

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._turn is not None:
            self._turn.leave()
        self._leave()
