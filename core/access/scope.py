"""From the credential to the tenant: who sends the request, for which tenant, and the request's one transaction."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from core import telemetry
from core.database import TenantRef, TenantSession, tenant_session
from core.errors import Unauthenticated
from core.identity.keys import verify_key
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


@dataclass(frozen=True, slots=True)
class Scope:
    """Who sends this request, and for which tenant: both from the credential, there is no default."""

    principal: Principal
    tenant: TenantRef
    request_id: str

    @property
    def by(self) -> tuple[str, str]:
        """Actor and request id, as the audit keeps them."""
        return self.principal.actor, self.request_id

    def session(self, *, readonly: bool = False) -> AbstractContextManager[TenantSession]:
        """A transaction of the tenant, for routes that cannot hold the request's one (streams, uploads)."""
        return tenant_session(self.tenant, actor=self.principal.actor, request_id=self.request_id, readonly=readonly)


BearerKey = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
HeaderKey = Annotated[str | None, Depends(_header)]


def authenticate(bearer: BearerKey, header: HeaderKey) -> Scope:
    """Who sends the request.

    Raises:
        Unauthenticated: no API key, or one that is not valid (401).
        Forbidden: the tenant is suspended (403).
    """
    key = bearer.credentials if bearer is not None else header
    if not key:
        detail = "the request has no credential"
        raise Unauthenticated(detail)
    found = verify_key(key)
    telemetry.bind(tenant=found.tenant.slug, actor=found.principal.actor)
    return Scope(found.principal, found.tenant, telemetry.request_id())


TenantScope = Annotated[Scope, Depends(authenticate)]
"""In a route's signature: who and which tenant, without a transaction. Most routes want ``TenantDb``."""


def transaction(scope: TenantScope) -> Iterator[TenantSession]:
    """The request's transaction: committed when the response has been serialised and before it is sent."""
    with scope.session() as session:
        yield session


TenantDb = Annotated[TenantSession, Depends(transaction, scope="function")]
"""In a route's signature: the request's transaction. ``scope="function"`` ends it before the response is sent, so that
a commit that fails is answered as an error; an exception in the route rolls it back."""
