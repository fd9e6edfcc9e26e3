"""The people behind API keys: a key that a person created permits no more than the person may do now.

So a change of the person's roles, of a role, or of what they reach applies to their keys from the next request on, on
every process. A key that such a key creates has the same person behind it. Keys made at the command line have nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from core.database import look_up
from core.errors import Unauthenticated
from core.identity.principal import person_of_actor
from core.identity.tenant_roles.compiled import OwnRolesVersion, permissions_of
from core.identity.tenants import JOINED

if TYPE_CHECKING:
    from core.database import TenantRef
    from core.identity.principal import Principal

_PRESENT: Final = (
    "SELECT p.state, m.roles, m.facility_ids, m.states, m.assigned_only,"  # noqa: S608 - a constant
    " v.version AS roles_version, v.settled AS roles_settled"
    " FROM platform.people p JOIN platform.memberships m ON m.person_id = p.id AND m.tenant_id = %s"
    f" AND {JOINED} LEFT JOIN platform.role_versions v ON v.tenant_id = m.tenant_id WHERE p.id = %s"
)


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of a key's person in the tenant now; the fields are those of ``Principal``."""

    permissions: frozenset[str]
    facility_ids: frozenset[UUID] | None
    states: frozenset[str] | None
    assigned_to: UUID | None


def creator_for(principal: Principal) -> str:
    """Return the creator of a key that the principal creates: the person behind the principal, else the principal."""
    person = principal.on_behalf_of
    return person if person is not None and person_of_actor(person) is not None else principal.actor


def rights_of(creator: str, tenant: TenantRef) -> Rights | None:
    """Return the present rights of the person who created a key; None if no person did.

    Raises:
        Unauthenticated: the person left the tenant, or is deactivated.
    """
    person_id = person_of_actor(creator)
    if person_id is None:
        return None
    row = look_up(_PRESENT, (tenant.id, person_id))
    if row is None or row["state"] != "active":
        detail = "the API key has ended with the account of its creator"
        raise Unauthenticated(detail, remedy="Ask for a new key.")
    facilities, states = row["facility_ids"], row["states"]
    at = OwnRolesVersion(row["roles_version"], settled=bool(row["roles_settled"]))
    return Rights(
        permissions_of(tenant, row["roles"], at),
        None if facilities is None else frozenset(facilities),
        None if states is None else frozenset(states),
        person_id if row["assigned_only"] else None,
    )
