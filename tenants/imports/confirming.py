"""The facilities that imports hold back because they are like known ones: list them, and confirm one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.database import lock_own
from core.errors import Conflict, FieldError, NotFound
from core.preferences import amend, group
from core.tenancy import settings
from tenants.imports import repository
from tenants.imports.settings import FacilitySettings
from tenants.records.repository import find_facility

if TYPE_CHECKING:
    from core.database import TenantSession
    from core.preferences import GroupState


def list_held(session: TenantSession) -> list[dict[str, Any]]:
    """The facilities that imports held back and nobody has confirmed: code, name, like, and import_id; at most 200."""
    present = settings.get(session, FacilitySettings)
    return repository.held_facilities(session, [*present.confirmed, *present.aliases])


def confirm(session: TenantSession, code: str, known: str | None = None) -> GroupState:
    """Confirm that a code is a new clinic, or another spelling of a known one. The last confirmation of a code wins.

    Args:
        session: the tenant's transaction.
        code: the code in the files.
        known: DATIM id of the facility with the other spelling; None for a new one.

    Raises:
        Conflict: the code belongs to a facility on record.
        NotFound: the known facility is not on record.
    """
    with session.cursor() as cursor:
        # Without the lock, the second of two confirmations at once would lose the first.
        lock_own(cursor, f"settings:{FacilitySettings.settings_key}")
    if find_facility(session, code) is not None:
        message = "the code belongs to a facility on record"
        raise Conflict(message, remedy="there is nothing to confirm: imports take its rows")
    if known is not None and find_facility(session, known) is None:
        message = "the known facility is not on record"
        remedy = "give the DATIM id of a facility on record (GET /v1/facilities lists them)"
        raise NotFound(message, remedy=remedy, errors=[FieldError("known", "is not on record", remedy)])
    present = settings.get(session, FacilitySettings)
    aliases = {alias: datim_id for alias, datim_id in present.aliases.items() if alias != code}
    confirmed = [alias for alias in present.confirmed if alias != code]
    changes: dict[str, Any] = {
        "aliases": aliases if known is None else {**aliases, code: known},
        "confirmed": [*confirmed, code] if known is None else confirmed,
    }
    return amend(session, group(FacilitySettings.settings_key), changes)
