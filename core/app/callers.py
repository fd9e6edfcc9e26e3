"""Who sends a request, asked before any of its body is read.

A key that was accepted before says whose share a request counts to, and no more: whether the key is valid is asked anew
for each request, here where it has a body, else by its route. What is not known is asked here, a few at a time, and an
address whose keys are refused gets fewer and fewer answers.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from core.access.credential import key_of
from core.access.verification import Verification, leave_for_the_route, verify
from core.errors import Forbidden, TooManyRequests, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from uuid import UUID

    from starlette.types import Scope

    from core.app.permissions import RoutePermissions

KNOWN = 20_000
"""Keys of which it is remembered whose they are."""

ADDRESSES = 20_000
"""Addresses whose refused keys are counted; the one that was counted first is forgotten for a further one."""

GUESSES = 240
"""Refused keys that an address may send at once."""

GUESSES_A_SECOND = 2.0
"""And as time goes by."""

VERIFIERS = 2
"""Look-ups of keys at once, each with a database connection beside those of the turns."""

VERIFYING_OF_ADDRESS = 64
VERIFYING_IN_ALL = 512


@dataclass(slots=True)
class Guesses:
    """Refused keys of one address that are not forgiven yet."""

    count: float
    moment: float


class Callers:
    """The callers of one process."""

    def __init__(self, permissions: RoutePermissions | None, patience: float) -> None:
        self._permissions = permissions
        self._patience = patience
        self._verifiers = anyio.CapacityLimiter(VERIFIERS)
        self._tenants: OrderedDict[bytes, UUID] = OrderedDict()
        self._guesses: OrderedDict[str, Guesses] = OrderedDict()
        self._verifying: dict[str, int] = {}

    async def tenant_of(self, scope: Scope, address: str, *, with_body: bool) -> UUID:
        """The tenant that a request is for.

        Raises:
            Unauthenticated: there is no key, or it is not valid (401).
            Forbidden: the tenant is suspended, or the key may not do what is asked (403).
            TooManyRequests: too many keys of the address were refused, or are being looked up (429).
            Unavailable: too many keys are being looked up (503).
        """
        key = key_of(scope["headers"])
        digest = hashlib.sha256(key.encode()).digest()
        known = self._tenants.get(digest)
        if known is not None and not with_body:
            return known
        if known is None:
            self._refuse_guesser(address)
        try:
            verification = await self._verify(key, address)
        except Unauthenticated:
            self._tenants.pop(digest, None)
            self._count_guess(address)
            raise
        identified = verification.identified
        needed = frozenset() if self._permissions is None else self._permissions.of(scope["method"], scope["path"])
        lacking = sorted(needed - identified.principal.permissions)
        if lacking:
            detail = f"the permission {lacking[0]} is needed"
            raise Forbidden(detail)
        leave_for_the_route(scope, verification)
        self._tenants[digest] = identified.tenant.id
        self._tenants.move_to_end(digest)
        if len(self._tenants) > KNOWN:
            self._tenants.popitem(last=False)
        return identified.tenant.id

    def forget(self, scope: Scope) -> None:
        """The route has refused the key of this request: it is looked up here the next time."""
        self._tenants.pop(hashlib.sha256(key_of(scope["headers"]).encode()).digest(), None)

    async def _verify(self, key: str, address: str) -> Verification:
        waiting = self._verifying.get(address, 0)
        if waiting >= VERIFYING_OF_ADDRESS:
            detail = "too many keys of this address are being looked up"
            raise TooManyRequests(detail, retry_after=1)
        if sum(self._verifying.values()) >= VERIFYING_IN_ALL:
            detail = "too many keys are being looked up"
            raise Unavailable(detail, retry_after=1)
        self._verifying[address] = waiting + 1
        try:
            with anyio.fail_after(self._patience):
                return await run_sync(verify, key, limiter=self._verifiers)
        except TimeoutError:
            detail = "the key could not be looked up in time"
            raise Unavailable(detail, retry_after=1) from None
        finally:
            left = self._verifying[address] - 1
            if left:
                self._verifying[address] = left
            else:
                del self._verifying[address]

    def _refuse_guesser(self, address: str) -> None:
        found = self._guesses.get(address)
        if found is None:
            return
        left = found.count - (time.monotonic() - found.moment) * GUESSES_A_SECOND
        if left <= 0:
            del self._guesses[address]
        elif left > GUESSES - 1:
            detail = "too many keys of this address were refused"
            remedy = "Send a valid API key, and wait for as many seconds as the header Retry-After says."
            raise TooManyRequests(detail, remedy=remedy, retry_after=int((left - GUESSES + 1) / GUESSES_A_SECOND) + 1)

    def _count_guess(self, address: str) -> None:
        moment = time.monotonic()
        found = self._guesses.setdefault(address, Guesses(0.0, moment))
        found.count = max(0.0, found.count - (moment - found.moment) * GUESSES_A_SECOND) + 1
        found.moment = moment
        if len(self._guesses) > ADDRESSES:
            self._guesses.popitem(last=False)


def address_of(scope: Scope) -> str:
    """The client's address; of IPv6 the network of 64 bits, for a client has one to itself."""
    client = scope.get("client")
    host = str(client[0]) if client else ""
    if ":" in host:
        try:
            return str(ipaddress.ip_network(f"{host.partition('%')[0]}/64", strict=False))
        except ValueError:
            return host
    return host
