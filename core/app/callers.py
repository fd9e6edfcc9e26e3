"""Identifies the sender of a request before its body is read.

If a request has no body and its credential was accepted before, this module only looks up the sender, and the route
verifies the credential. In all other cases this module verifies the credential, a few at a time. An address that sends
many invalid credentials gets 429.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync

from core.access.verification import Verification, leave_for_the_route, verify
from core.errors import Forbidden, TooManyRequests, Unauthenticated, Unavailable, phrase
from core.identity.credentials import credential_for
from core.identity.tenants import TenantInactive

if TYPE_CHECKING:
    from uuid import UUID

    from starlette.types import Scope

    from core.app.permissions import RoutePermissions
    from core.identity.credentials import Credential
    from core.identity.principal import CredentialOwner

KNOWN = 20_000
"""Credentials whose senders are remembered, at most."""

ADDRESSES = 20_000
"""Most addresses whose rejected credentials are counted. One more drops the address that was counted first."""

GUESSES = 240
"""Rejected credentials that an address may send at once."""

GUESSES_A_SECOND = 2.0
"""Rejected credentials that an address may send per second after that."""

VERIFIERS = 2
"""Most credentials that are verified at once. Each takes a database connection, besides those of the slots."""

VERIFYING_OF_ADDRESS = 64
VERIFYING_IN_ALL = 512


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request, as far as the boundary needs to know.

    Attributes:
        kind: of the principal, such as ``person`` or ``api_key``.
        actor: the principal, as ``kind:id``.
        tenant_id: its tenant; None for operators.
    """

    kind: str
    actor: str
    tenant_id: UUID | None

    @property
    def share(self) -> UUID | str:
        """The id of the tenant, or else the actor, whose share of the server the request counts to."""
        return self.tenant_id or self.actor


@dataclass(slots=True)
class Guesses:
    """The count of rejected credentials from one address at a moment. It falls with time."""

    count: float
    moment: float


class Callers:
    """The callers of one process."""

    def __init__(self, permissions: RoutePermissions | None, patience: float) -> None:
        self._permissions = permissions
        self._patience = patience
        self._verifiers = anyio.CapacityLimiter(VERIFIERS)
        self._known: OrderedDict[bytes, Caller] = OrderedDict()
        self._guesses: OrderedDict[str, Guesses] = OrderedDict()
        self._verifying: dict[str, int] = {}

    async def caller_of(self, scope: Scope, address: str, *, with_body: bool) -> Caller:
        """Return the sender of a request.

        Raises:
            Unauthenticated: there is no credential, or it is not valid (401).
            Forbidden: the tenant is suspended, or the principal lacks the permission (403).
            TooManyRequests: too many credentials of the address were rejected, or are being verified (429).
            Unavailable: too many credentials are being verified (503).
        """
        credential = credential_for(scope)
        digest = _digest(credential)
        known = self._known.get(digest)
        if known is not None and not with_body:
            return known
        if known is None:
            self._reject_guesser(address)
        try:
            verification = await self._verify(credential, address)
        except Unauthenticated as error:
            self._known.pop(digest, None)
            if credential.kind.counts_as_guess(error):
                self._count_guess(address)
            raise
        except TenantInactive as error:
            if error.owner is None or not self._is_of_own_sessions(scope):
                raise
            return _caller(error.owner)  # the route verifies the credential again
        leave_for_the_route(scope, verification)
        identified = verification.identified
        needed = frozenset() if self._permissions is None else self._permissions.of(scope["method"], scope["path"])
        lacking = sorted(needed - identified.principal.permissions)
        if lacking:
            detail = phrase("the permission {permission} is needed", permission=lacking[0])
            raise Forbidden(detail)
        caller = _caller(identified)
        self._known[digest] = caller
        self._known.move_to_end(digest)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return caller

    def forget(self, scope: Scope) -> None:
        """Forget the sender of a request, because its route rejected the credential."""
        self._known.pop(_digest(credential_for(scope)), None)

    async def _verify(self, credential: Credential, address: str) -> Verification:
        waiting = self._verifying.get(address, 0)
        if waiting >= VERIFYING_OF_ADDRESS:
            detail = "too many credentials of this address are being verified"
            raise TooManyRequests(detail, retry_after=1)
        if sum(self._verifying.values()) >= VERIFYING_IN_ALL:
            detail = "too many credentials are being verified"
            raise Unavailable(detail, retry_after=1)
        self._verifying[address] = waiting + 1
        try:
            with anyio.fail_after(self._patience):
                return await run_sync(verify, credential, limiter=self._verifiers)
        except TimeoutError:
            detail = "the credential could not be verified in time"
            raise Unavailable(detail, retry_after=1) from None
        finally:
            left = self._verifying[address] - 1
            if left:
                self._verifying[address] = left
            else:
                del self._verifying[address]

    def _is_of_own_sessions(self, scope: Scope) -> bool:
        return self._permissions is not None and self._permissions.of_own_sessions(scope["method"], scope["path"])

    def _reject_guesser(self, address: str) -> None:
        guesses = self._guesses.get(address)
        if guesses is None:
            return
        left = guesses.count - (time.monotonic() - guesses.moment) * GUESSES_A_SECOND
        if left <= 0:
            del self._guesses[address]
        elif left > GUESSES - 1:
            detail = "too many credentials of this address were rejected"
            remedy = "Send a valid credential, and wait for as many seconds as the header Retry-After says."
            raise TooManyRequests(detail, remedy=remedy, retry_after=int((left - GUESSES + 1) / GUESSES_A_SECOND) + 1)

    def _count_guess(self, address: str) -> None:
        moment = time.monotonic()
        guesses = self._guesses.setdefault(address, Guesses(0.0, moment))
        guesses.count = max(0.0, guesses.count - (moment - guesses.moment) * GUESSES_A_SECOND) + 1
        guesses.moment = moment
        if len(self._guesses) > ADDRESSES:
            self._guesses.popitem(last=False)


def _caller(owner: CredentialOwner) -> Caller:
    principal = owner.principal
    return Caller(principal.kind, principal.actor, None if owner.tenant is None else owner.tenant.id)


def _digest(credential: Credential) -> bytes:
    return hashlib.sha256(f"{credential.kind.name}:{credential.secret}".encode()).digest()
