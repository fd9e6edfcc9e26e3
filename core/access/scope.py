"""Scope of a request: finds principal and tenant from the credential, and opens the request's one transaction."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from core import telemetry
from core.access.verification import FRESH_SECONDS, leave_owner, verified
from core.database import TenantRef, TenantSession, read_on_replica, tenant_session
from core.errors import Forbidden
from core.identity import credentials
from core.identity.principal import CredentialOwner, Principal
from core.identity.tenants import TenantInactive
from core.web import texts

OF_A_TENANT: Final = texts.marked("this operation belongs to a tenant, and the credential to none")
"""What is wrong where an operator calls an operation of tenants."""

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
T = TypeVar("T")


@dataclass(slots=True)
class Confirmation:
    """The time of the credential's last check, on the clock of ``time.monotonic``."""

    moment: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class PrincipalScope:
    """The principal who sends the request and their tenant, both from the credential. An operator has no tenant."""

    principal: Principal
    tenant: TenantRef | None
    request_id: str
    confirmation: Confirmation = field(default_factory=Confirmation, compare=False, repr=False)

    @property
    def by(self) -> tuple[str, str]:
        """Actor and request id, as the audit stores them."""
        return self.principal.actor, self.request_id

    def confirm(self) -> None:
        """Check again that the credential is valid. Long answers call this between two steps.

        Raises:
            Unauthenticated: it was revoked, or has expired (401).
            Forbidden: the tenant was suspended, or the principal lost a permission (403).
        """
        moment = time.monotonic()
        credentials.confirm(self.principal)
        self.confirmation.moment = moment

    def while_valid(self, pieces: Iterable[Piece]) -> Generator[Piece]:
        """Yield the pieces of a long answer for as long as the credential is valid.

        Raises:
            Unauthenticated: it was revoked, or has expired (401).
            Forbidden: the tenant was suspended, or the principal lost a permission (403).
        """
        for piece in pieces:
            if time.monotonic() - self.confirmation.moment >= FRESH_SECONDS:
                self.confirm()
            yield piece


@dataclass(frozen=True, slots=True)
class Scope(PrincipalScope):
    """The principal who sends the request, and their tenant."""

    tenant: TenantRef

    @property
    def by_at_once(self) -> tuple[str, str] | None:
        """Return ``by`` if the caller reaches all facilities, else None.

        A read in one round trip cannot be limited to some facilities, so it is only for callers that reach all.
        """
        return self.by if self.principal.reach.everything else None

    def session(self, *, readonly: bool = False) -> AbstractContextManager[TenantSession]:
        """A transaction of the tenant, for routes that cannot hold the request's one (streams, uploads).

        Raises:
            Unauthenticated: the credential was revoked or has expired since it was verified (401).
            Forbidden: the tenant was suspended since, or the principal lost a permission (403).
        """
        if time.monotonic() - self.confirmation.moment >= FRESH_SECONDS:
            self.confirm()
        return tenant_session(
            self.tenant,
            actor=self.principal.actor,
            request_id=self.request_id,
            readonly=readonly,
            reach=self.principal.reach,
        )

    def read(self, function: Callable[[TenantSession], T]) -> T:
        """Return ``function(session)`` of a transaction that only reads: on the replica, where there is one that fits.

        For reports and indicators, which read much. The function may be called twice; see ``read_on_replica``.

        Raises:
            Unauthenticated, Forbidden: as ``session``.
        """
        if time.monotonic() - self.confirmation.moment >= FRESH_SECONDS:
            self.confirm()
        return read_on_replica(
            self.tenant,
            function,
            actor=self.principal.actor,
            request_id=self.request_id,
            reach=self.principal.reach,
        )


BearerKey = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
HeaderKey = Annotated[str | None, Depends(_header)]


def scope_of(request: Request) -> PrincipalScope:
    """Identify the sender of a request, with a query to the database.

    Raises:
        Unauthenticated: no credential, or one that is not valid (401).
        Forbidden: the tenant is suspended (403).
    """
    verification = verified(request.scope, credentials.credential_for(request.scope))
    return _scope_for(verification.identified, Confirmation(verification.moment))


def _scope_for(identified: CredentialOwner, confirmation: Confirmation) -> PrincipalScope:
    request_id = telemetry.request_id()
    texts.prefer(identified.principal.language, identified.language)
    if identified.tenant is None:
        telemetry.bind(actor=identified.principal.actor)
        return PrincipalScope(identified.principal, None, request_id, confirmation)
    telemetry.bind(tenant=identified.tenant.slug, actor=identified.principal.actor)
    return Scope(identified.principal, identified.tenant, request_id, confirmation)


def tenant_scope_of(request: Request) -> Scope:
    """Return the principal who sends the request and their tenant. Queries the database.

    Raises:
        Unauthenticated: no credential, or one that is not valid (401).
        Forbidden: the tenant is suspended, or the principal acts for no tenant (403).
    """
    scope = scope_of(request)
    if not isinstance(scope, Scope):
        raise Forbidden(OF_A_TENANT, remedy="Use a credential of the tenant.")
    return scope


def authenticate_any(request: Request, bearer: BearerKey, header: HeaderKey) -> PrincipalScope:  # noqa: ARG001 - OpenAPI
    """Authenticate like ``scope_of``. The parameters describe the possible credentials to OpenAPI."""
    return scope_of(request)


def authenticate_account(request: Request, bearer: BearerKey, header: HeaderKey) -> PrincipalScope:  # noqa: ARG001
    """Authenticate like ``scope_of``, also a person of a suspended tenant, who then has no permission."""
    try:
        return scope_of(request)
    except TenantInactive as error:
        if error.owner is None:
            raise
        leave_owner(request.scope, error.owner)
        return _scope_for(error.owner, Confirmation())


def authenticate(request: Request, bearer: BearerKey, header: HeaderKey) -> Scope:  # noqa: ARG001 - OpenAPI
    """Authenticate like ``tenant_scope_of``. The parameters describe the possible credentials to OpenAPI."""
    return tenant_scope_of(request)


def authenticate_operator(request: Request, bearer: BearerKey, header: HeaderKey) -> PrincipalScope:  # noqa: ARG001
    """Authenticate like ``scope_of``, for operators alone.

    Raises:
        Unauthenticated: no credential, or one that is not valid (401).
        Forbidden: the principal is not an operator (403).
    """
    scope = scope_of(request)
    if scope.principal.kind != "operator":
        detail = "this operation is for operators of the installation"
        raise Forbidden(detail, remedy="Sign in as an operator.")
    return scope


AnyScope = Annotated[PrincipalScope, Depends(authenticate_any)]
"""In a route's signature: the principal, with or without a tenant."""

AccountScope = Annotated[PrincipalScope, Depends(authenticate_account)]
"""In a route's signature: the principal, also of a suspended tenant, for pages about the person's own sessions."""

OperatorScope = Annotated[PrincipalScope, Depends(authenticate_operator)]
"""In a route's signature: an operator, who acts for no tenant."""

TenantScope = Annotated[Scope, Depends(authenticate)]
"""In a route's signature: the principal and the tenant, without a transaction. Most routes use ``TenantDb`` instead."""


def transaction(scope: TenantScope) -> Iterator[TenantSession]:
    """Open the request's transaction. It commits after the response is serialised and before it is sent."""
    with scope.session() as session:
        yield session


TenantDb = Annotated[TenantSession, Depends(transaction, scope="function")]
"""In a route's signature: the request's transaction. ``scope="function"`` ends it before the response is sent, so that
a commit that fails is answered as an error; an exception in the route rolls it back."""
