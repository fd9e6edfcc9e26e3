"""Look up the facility that a caller names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import FieldError, Invalid
from tenants.records.repository import datim_ids, facility_uuids, find_facility

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from core.database import TenantSession
    from tenants.records.models import Facility


def facility_named(session: TenantSession, datim_id: str | None, field: str = "facility") -> Facility | None:
    """The facility with a DATIM id; None if ``datim_id`` is None.

    Args:
        session: the tenant's session.
        datim_id: the DATIM id that the caller sent.
        field: the field in which the caller sent it, for the error.

    Raises:
        Invalid: there is no such facility.
    """
    if not datim_id:
        return None
    facility = find_facility(session, datim_id)
    if facility is None:
        remedy = "send the DATIM id of a facility of this tenant"
        problem = [FieldError(field, "names no facility", remedy)]
        raise Invalid("there is no such facility", remedy=remedy, errors=problem)
    return facility


class Directory:
    """The tenant's facilities, as the kernel looks them up; see ``core.identity.facilities``."""

    def ids(self, session: TenantSession, datim_ids: Collection[str]) -> dict[str, UUID]:
        """The id of each of these DATIM ids that a facility has."""
        return facility_uuids(session, datim_ids)

    def datim_ids(self, session: TenantSession, ids: Collection[UUID]) -> dict[UUID, str]:
        """The DATIM id of each of these facilities."""
        return datim_ids(session, ids)


DIRECTORY = Directory()
