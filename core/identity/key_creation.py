"""Creation of API keys by callers: a key has at most the permissions, and at most the time, of its creator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from core.errors import FieldError, Forbidden, Invalid, phrase
from core.errors.nearest import remedy_for
from core.identity.key_creators import creator_for
from core.identity.keys import create_key
from core.identity.permissions import all_permissions

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from core.database import TenantRef
    from core.identity.keys import CreatedKey
    from core.identity.principal import Principal


class Caller(Protocol):
    """The principal who sends a request, and their tenant."""

    @property
    def principal(self) -> Principal:
        """Who asks."""

    @property
    def tenant(self) -> TenantRef:
        """For which tenant."""

    @property
    def request_id(self) -> str:
        """For the audit."""


def create_for(
    caller: Caller,
    name: str,
    permissions: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    *,
    source: str = "api",
) -> CreatedKey:
    """Create a key for the caller's tenant.

    Args:
        caller: who creates it.
        name: what it is for.
        permissions: of the key; None for all that the caller holds now.
        expires_at: when it ends. By default a key of a key ends with it, and a key of a person when it is revoked.
        source: for the audit.

    Raises:
        Invalid: a permission does not exist, or the key would end in the past or after the key that creates it (422).
        Forbidden: the caller does not hold one of the permissions, or reaches a part of the facilities only (403).
    """
    principal = caller.principal
    return create_key(
        caller.tenant,
        name=name,
        permissions=_permissions(principal, permissions),
        expires_at=_expiry(principal, expires_at),
        actor=principal.actor,
        created_by=creator_for(principal),
        source=source,
        request_id=caller.request_id,
    )


def _permissions(principal: Principal, asked: Sequence[str] | None) -> Collection[str]:
    if not principal.reach.everything:
        detail = "an API key reaches all facilities, and you reach some"
        raise Forbidden(detail, remedy="Ask somebody who reaches all facilities to create it.")
    if asked is None:
        return principal.permissions
    known = all_permissions()
    unknown = [(place, name) for place, name in enumerate(asked) if name not in known]
    if unknown:
        remedy = "See permissions in GET /v1/me."
        errors = [
            FieldError(f"permissions.{place}", "is not a permission", remedy_for(name, known, remedy))
            for place, name in unknown
        ]
        detail = "a permission of the key does not exist"
        raise Invalid(detail, errors=errors)
    more = sorted(set(asked) - principal.permissions)
    if more:
        detail = phrase("a key cannot have a permission that you do not hold: {listed}", listed=", ".join(more))
        raise Forbidden(detail, remedy="Leave it out, or ask somebody who holds it.")
    return frozenset(asked)


def _expiry(principal: Principal, asked: datetime | None) -> datetime | None:
    """Return when a new key ends. A session's end does not count: its person's rights bound the key anyway.

    Raises:
        Invalid: it would outlive the key that creates it (422).
    """
    own = principal.expires_at if principal.credential == "api_key" else None
    if own is not None and asked is not None and asked > own:
        remedy = "Give an earlier time, or leave it out."
        detail = "a key cannot outlive the credential that creates it"
        raise Invalid(detail, errors=[FieldError("expires_at", "is after your own credential expires", remedy)])
    return own if asked is None else asked
