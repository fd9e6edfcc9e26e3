"""The present rights of somebody who acted before: what their work for later may still do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from core.errors import Unauthenticated
from core.identity.key_creators import rights_of
from core.identity.keys import principal_of_key
from core.identity.principal import Principal, person_of_actor

if TYPE_CHECKING:
    from core.database import TenantRef

_KEY = "api_key:"


def present_principal(actor: str, tenant: TenantRef) -> Principal | None:
    """The principal of an actor with the rights that they have in the tenant now.

    None if they have none any more: the person left or is deactivated, the key was revoked or has expired. Call it
    while no transaction is open.
    """
    try:
        if actor.startswith(_KEY):
            principal = principal_of_key(UUID(actor.removeprefix(_KEY)))
            return principal if principal.tenant_id == tenant.id else None
        rights = rights_of(actor, tenant)
    except Unauthenticated:
        return None
    if rights is None:
        return None
    return Principal(
        "person",
        str(person_of_actor(actor)),
        tenant.id,
        rights.permissions,
        facility_ids=rights.facility_ids,
        states=rights.states,
        assigned_to=rights.assigned_to,
    )
