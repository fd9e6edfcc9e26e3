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
    from uuid import UUID

WAITING = 64
"""Requests of one tenant, or from one address, that may be under way or waiting; each may hold a body of 64 KiB."""

WAITING_IN_ALL = 1024

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
    """

    turns: int
    who: str
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
        if share.requests >= WAITING:
            detail = f"{self.who} has {WAITING} requests under way"
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

    def enter(self, tenant: UUID | str, address: str) -> Place:
        """A place among those who wait and who are served.

        Raises:
            TooManyRequests: the tenant or the address has too many requests under way (429).
            Unavailable: all have (503).
        """
        if self.waiting >= WAITING_IN_ALL:
            detail = "too many requests are waiting"
            raise Unavailable(detail, retry_after=max(1, round(self._patience)))
        of_tenant = self.tenants.enter(tenant)
        try:
            of_address = self.addresses.enter(address)
        except TooManyRequests:
            self.tenants.leave(tenant)
            raise
        self.waiting += 1
        return Place(self, tenant, address, (of_tenant, of_address))

    def turn(self, shares: tuple[Share, ...], *, long: bool) -> Turn:
        """The turn of a request that counts to these shares; a long one may hold it only beside a few others."""
        own = [limit for share in shares for limit in ((share.long, share.turns) if long else (share.turns,))]
        return Turn((*own, *((self._long, self._all) if long else (self._all,))), self._patience)


class Place:
    """The place of one request, for as long as it is under way. Used as a context manager."""

    def __init__(self, turns: Turns, tenant: UUID | str, address: str, shares: tuple[Share, ...]) -> None:
        self._turns = turns
        self._tenant = tenant
        self._address = address
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
        self._turns.waiting -= 1
        self._turns.tenants.leave(self._tenant)
        self._turns.addresses.leave(self._address)
