"""Translates between the DATIM ids of facilities, which callers see, and the ids, which memberships store.

The room that has the facilities registers a directory of them (``Feature.facilities``).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol, cast

from core.database import tenant_session
from core.errors import FieldError, Invalid
from core.feature_registry import features, resolve

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from core.database import TenantRef, TenantSession

ACTOR = "system:people"


class FacilityDirectory(Protocol):
    """Looks up facilities of a tenant. Both methods omit facilities that do not exist."""

    def ids(self, session: TenantSession, datim_ids: Collection[str]) -> Mapping[str, UUID]:
        """Return DATIM id -> id of the facility."""

    def datim_ids(self, session: TenantSession, ids: Collection[UUID]) -> Mapping[UUID, str]:
        """Return id of the facility -> DATIM id."""


@cache
def directory() -> FacilityDirectory:
    """Return the directory of facilities that a feature registers.

    Raises:
        LookupError: no feature registers one, or several do.
    """
    references = [room.facilities for room in features() if room.facilities is not None]
    if len(references) != 1:
        message = f"exactly one feature registers a directory of facilities, not {references}"
        raise LookupError(message)
    return cast("FacilityDirectory", resolve(references[0]))


def facility_ids(tenant: TenantRef, datim_ids: Collection[str] | None) -> list[UUID] | None:
    """Return the ids of the facilities with these DATIM ids, sorted; None for all facilities.

    Raises:
        Invalid: a DATIM id names no facility of the tenant (422).
    """
    if datim_ids is None:
        return None
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        known = directory().ids(session, datim_ids)
    unknown = [place for place, name in enumerate(datim_ids) if name not in known]
    if unknown:
        detail, remedy = "there is no such facility", "Give the DATIM id of one of GET /v1/facilities."
        command = "give the DATIM id of a facility of this tenant"
        errors = [FieldError(f"facilities.{place}", "names no facility", remedy, command) for place in unknown]
        raise Invalid(detail, errors=errors)
    return sorted(set(known.values()))


def datim_ids_of(tenant: TenantRef, ids: Collection[UUID]) -> Mapping[UUID, str]:
    """Return the DATIM id of each of these facilities."""
    if not ids:
        return {}
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        return directory().datim_ids(session, ids)
