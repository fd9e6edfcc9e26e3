"""From the credential to the tenant: who sends the request, for which tenant, and the request's one transaction."""

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from core import telemetry
from core.access.verification import FRESH_SECONDS, verified
from core.database import TenantRef, TenantSession, tenant_session
from core.errors import Unauthenticated
from core.identity.keys import confirm_key
from core.identity.principal import Principal

_bearer = HTTPBearer(
    auto_error=False, scheme_name="ApiKeyBearer", description="The tenant's API key: `Authorization: Bearer iit_…`"
)
_header = APIKeyHeader(
    name="X-API-Key",
    auto_error=False,
    scheme_name="ApiKeyHeader",
    description="The tenant's API key: `X-API-Key: iit_…`",
)


Piece = TypeVar("Piece")


@dataclass(slots=True)
class Confirmation:
    """When it was last asked whether the credential is valid, on the clock of ``time.monotonic``."""

    moment: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Scope:
    """Who sends this request, and for which tenant: both from the credential, there is no default."""

    principal: Principal
    tenant: TenantRef
    request_id: str
    confirmation: Confirmation = field(default_factory=Confirmation, compare=False, repr=False)

    @property
    def by(self) -> tuple[str, str]:
        """Actor and request id, as the audit keeps them."""
        return self.principal.actor, self.request_id

    def session(self, *, readonly: bool = False) -> AbstractContextManager[TenantSession]:
        """A transaction of the tenant, for routes that cannot hold the request's one (streams, uploads).

        Raises:
            Unauthenticated: the credential has been revoked or has expired since it was asked for (401).
            Forbidden: the tenant has been suspended since, or the key lost a permission (403).
        """
        if time.monotonic() - self.confirmation.moment >= FRESH_SECONDS:
            self.confirm()
        return tenant_session(self.tenant, actor=self.principal.actor, request_id=self.request_id, readonly=readonly)

    def confirm(self) -> None:
        """Ask again whether the credential is valid: between two steps of what goes on for longer than a moment.

        Raises:
            Unauthenticated: it has been revoked, or has expired (401).
            Forbidden: the tenant has been suspended, or the key lost a permission (403).
        """
        moment = time.monotonic()
        confirm_key(self.principal)
        self.confirmation.moment = moment

    def while_valid(self, pieces: Iterable[Piece]) -> Generator[Piece]:
        """The pieces of an answer that is read or was made in one go, for as long as the credential is valid.

        Raises:
            Unauthenticated: it has been revoked, or has expired (401).
            Forbidden: the tenant has been suspended, or the key lost a permission (403).
        """
        for piece in pieces:
            if time.monotonic() - self.confirmation.moment >= FRESH_SECONDS:
                self.confirm()
            yield piece


BearerKey = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
HeaderKey = Annotated[str | None, Depends(_header)]


def authenticate(request: Request, bearer: BearerKey, header: HeaderKey) -> Scope:
    """Who sends the request.

    Raises:
        Unauthenticated: no API key, or one that is not valid (401).
        Forbidden: the tenant is suspended (403).
    """
    key = bearer.credentials if bearer is not None else header
    if not key:
        detail = "the request has no credential"
        raise Unauthenticated(detail)
    verification = verified(request.scope, key)
    found = verification.identified
    telemetry.bind(tenant=found.tenant.slug, actor=found.principal.actor)
    return Scope(found.principal, found.tenant, telemetry.request_id(), Confirmation(verification.moment))


TenantScope = Annotated[Scope, Depends(authenticate)]
"""In a route's signature: who and which tenant, without a transaction. Most routes want ``TenantDb``."""


def transaction(scope: TenantScope) -> Iterator[TenantSession]:
    """The request's transaction: committed when the response has been serialised and before it is sent."""
    with scope.session() as session:
        yield session


TenantDb = Annotated[TenantSession, Depends(transaction, scope="function")]
"""In a route's signature: the request's transaction. ``scope="function"`` ends it before the response is sent, so that
a commit that fails is answered as an error; an exception in the route rolls it back."""
