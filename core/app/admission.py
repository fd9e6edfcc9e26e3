"""Admission of requests: limits how many run at the same time, in all, for one tenant, and from one address.

A running request occupies a slot: a thread and a database connection. Each tenant and each address has a share of the
slots, so that the others never wait for it. A request whose client reads slowly gives its slot to another one.

A request that would wait for long is rejected at once (load shedding): in a full queue, everybody's answer comes too
late, and clients that gave up still cost their turn.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Self, TypeVar

import anyio

from core.errors import TooManyRequests, Unavailable, phrase
from core.metrics import Counter

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

SHED = Counter("iit_http_shed_total", "Requests that were rejected at once because they would have waited for long.")

WAITING = 64
"""Requests of one tenant, or from one address, that may run or wait; each may occupy 64 KiB for its body."""

WAITING_IN_ALL = 1024

PUBLIC_WAITING = 256
"""Requests without a credential that may run or wait."""

PUBLIC_OF_ADDRESS = 16
"""Requests without a credential that may run or wait from one address."""

SHED_SHARE = 0.5
"""A request is rejected at once if it would wait for more than this share of its patience."""

_WEIGHT = 0.1

Key = TypeVar("Key")


@dataclass(slots=True)
class Pace:
    """How long requests have a slot: a moving average, from which follows how long the next one waits.

    Attributes:
        clock: monotonic seconds.
        mean: seconds.
    """

    clock: Callable[[], float] = time.monotonic
    mean: float = 0.0

    def note(self, seconds: float) -> None:
        """Count one request that had its slot for so long."""
        self.mean += (seconds - self.mean) * _WEIGHT

    def wait_for(self, limit: anyio.CapacityLimiter) -> float:
        """Return the seconds that one more request would probably wait for a slot of this limit."""
        return self.mean * (limit.statistics().tasks_waiting + 1) / limit.total_tokens


@dataclass(slots=True)
class Share:
    """The share of one tenant or one address: its slots, and the number of its requests that run or wait."""

    slots: anyio.CapacityLimiter
    long: anyio.CapacityLimiter
    requests: int = 0


@dataclass(slots=True)
class Shares(Generic[Key]):
    """The shares of all tenants or all addresses; each exists for as long as it has requests.

    Attributes:
        slots: slots of one share.
        who: the owner of a share, as errors name it.
        waiting: requests of one share that may run or wait; ``WAITING`` when None.
    """

    slots: int
    who: str
    waiting: int | None = None
    _shares: dict[Key, Share] = field(default_factory=dict)

    def enter(self, key: Key) -> Share:
        """Count one more request of ``key``, and return its share; ``leave`` ends the count.

        Raises:
            TooManyRequests: too many of its requests run or wait already (429).
        """
        share = self._shares.get(key)
        if share is None:
            # Long requests get half of a share: slow uploads leave slots for the tenant's other requests.
            share = Share(anyio.CapacityLimiter(self.slots), anyio.CapacityLimiter(max(1, self.slots // 2)))
            self._shares[key] = share
        most = WAITING if self.waiting is None else self.waiting
        if share.requests >= most:
            detail = phrase("{who} has {most} requests under way", who=self.who, most=most)
            raise TooManyRequests(detail, retry_after=1)
        share.requests += 1
        return share

    def leave(self, key: Key) -> None:
        """Count one request of ``key`` fewer."""
        share = self._shares[key]
        share.requests -= 1
        if not share.requests:
            del self._shares[key]


class Slot:
    """The slot of one request: several limits, which all requests acquire in the same order."""

    def __init__(self, limits: tuple[anyio.CapacityLimiter, ...], patience: float, pace: Pace | None = None) -> None:
        self._limits = limits
        self._patience = patience
        self._pace = Pace() if pace is None else pace
        self._since = 0.0
        self._acquired: list[anyio.CapacityLimiter] = []

    async def take(self) -> None:
        """Wait for the slot.

        Raises:
            Unavailable: the slot would not become free soon, or did not in time (503).
        """
        try:
            for limit in self._limits:
                limit.acquire_on_behalf_of_nowait(self)
                self._acquired.append(limit)
        except anyio.WouldBlock:
            self._reject_if_long()
            await self._wait()
        self._since = self._pace.clock()

    def _reject_if_long(self) -> None:
        expected = max(self._pace.wait_for(limit) for limit in self._limits[len(self._acquired) :])
        if expected > self._patience * SHED_SHARE:
            self._release()
            SHED.add()
            detail = "too many requests are waiting already"
            raise Unavailable(detail, retry_after=max(1, math.ceil(expected)))

    async def _wait(self) -> None:
        try:
            with anyio.fail_after(self._patience):
                for limit in self._limits[len(self._acquired) :]:
                    await limit.acquire_on_behalf_of(self)
                    self._acquired.append(limit)
        except BaseException as error:
            self._release()
            if not isinstance(error, TimeoutError):
                raise
            detail = "too many requests are being served at once"
            raise Unavailable(detail, retry_after=max(1, round(self._patience))) from None

    def leave(self) -> None:
        """Free the slot; does nothing if the request does not have it."""
        if self._acquired:
            self._pace.note(self._pace.clock() - self._since)
        self._release()

    def _release(self) -> None:
        while self._acquired:
            self._acquired.pop().release_on_behalf_of(self)


class Admission:
    """Admits the requests of one process.

    Args:
        concurrency: requests that run at once, as many as there are database connections. With more, the requests that
        wait for a connection could occupy every thread.
        patience: seconds that a request waits for its slot.
    """

    def __init__(self, concurrency: int, patience: float) -> None:
        self._patience = patience
        self._all = anyio.CapacityLimiter(concurrency)
        self._long = anyio.CapacityLimiter(max(1, concurrency // 2))
        self.waiting = 0
        self._pace, self._pace_of_long = Pace(), Pace()
        self.tenants: Shares[UUID | str] = Shares(max(1, concurrency // 3), "the tenant")
        # Behind a proxy that is not declared, all clients have one address.
        self.addresses: Shares[str] = Shares(max(1, concurrency * 3 // 4), "the client's address")
        self.public: Shares[str] = Shares(max(1, concurrency // 3), "the public part of the server", PUBLIC_WAITING)
        self.public_addresses: Shares[str] = Shares(max(1, concurrency // 6), "the client's address", PUBLIC_OF_ADDRESS)

    def enter(self, tenant: UUID | str, address: str) -> Place:
        """Return a place among the requests that run or wait.

        Raises:
            TooManyRequests: too many requests of the tenant or the address run or wait (429).
            Unavailable: too many requests run or wait in all (503).
        """
        return self._enter(self.tenants, tenant, self.addresses, address)

    def enter_public(self, address: str) -> Place:
        """Return a place for a request without a credential. All such requests together share one tenant's slots.

        Raises:
            TooManyRequests: too many of them, or of those from the address, run or wait (429).
            Unavailable: too many requests run or wait in all (503).
        """
        return self._enter(self.public, "", self.public_addresses, address)

    def _enter(self, shares: Shares[Key], key: Key, addresses: Shares[str], address: str) -> Place:
        if self.waiting >= WAITING_IN_ALL:
            detail = "too many requests are waiting"
            raise Unavailable(detail, retry_after=max(1, round(self._patience)))
        of_address = addresses.enter(address)  # first, so that one address does not use up the common share
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

    def slot(self, shares: tuple[Share, ...], *, long: bool) -> Slot:
        """Return the slot of a request that counts to these shares; long requests get half of all slots at most."""
        own = [limit for share in shares for limit in ((share.long, share.slots) if long else (share.slots,))]
        limits = (*own, *((self._long, self._all) if long else (self._all,)))
        return Slot(limits, self._patience, self._pace_of_long if long else self._pace)


class Place:
    """The place of one request that runs or waits. Used as a context manager."""

    def __init__(self, admission: Admission, leave: Callable[[], None], shares: tuple[Share, ...]) -> None:
        self._admission = admission
        self._leave = leave
        self._shares = shares
        self._slot: Slot | None = None

    def slot(self, *, long: bool) -> Slot:
        """Return the slot of the request. The caller still has to take it."""
        self._slot = self._admission.slot(self._shares, long=long)
        return self._slot

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._slot is not None:
            self._slot.leave()
        self._leave()
