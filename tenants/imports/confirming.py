"""Confirming a facility that imports hold back, since it is like a known one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.database import lock_own
from core.errors import Conflict, FieldError, NotFound
from core.preferences import amend, group
from core.tenancy import settings
from tenants.imports.settings import FacilitySettings
from tenants.records.repository import find_facility

if TYPE_CHECKING:
    from core.database import TenantSession
    from core.preferences import GroupState


def confirm(session: TenantSession, code: str, known: str | None = None) -> GroupState:
    """Say that a code is of a new clinic, or another spelling of a known one; the last word on a code counts.

    Args:
        session: the tenant's transaction.
        code: as the files write it.
        known: DATIM id of the facility that is meant; None where it is a new one.

    Raises:
        Conflict: the code is of a facility on record.
        NotFound: the facility that is meant is not on record.
    """
    with session.cursor() as cursor:
        # Else of two people who confirm at once, the second forgets what the first has said.
        lock_own(cursor, f"settings:{FacilitySettings.settings_key}")
    if find_facility(session, code) is not None:
        message = "the code is that of a facility on record"
        raise Conflict(message, remedy="there is nothing to confirm: imports take its rows")
    if known is not None and find_facility(session, known) is None:
        message = "the facility that is meant is not on record"
        remedy = "give the DATIM id of a facility on record (GET /v1/facilities lists them)"
        raise NotFound(message, remedy=remedy, errors=[FieldError("as", "is not on record", remedy)])
    present = settings.get(session, FacilitySettings)
    aliases = {one: meant for one, meant in present.aliases.items() if one != code}
    confirmed = [one for one in present.confirmed if one != code]
    given: dict[str, Any] = {
        "aliases": aliases if known is None else {**aliases, code: known},
        "confirmed": [*confirmed, code] if known is None else confirmed,
    }
    return amend(session, group(FacilitySettings.settings_key), given)
