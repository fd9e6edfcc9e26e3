"""The facility that a caller named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import FieldError, Invalid
from tenants.records.repository import find_facility

if TYPE_CHECKING:
    from core.database import TenantSession
    from tenants.records.models import Facility


def facility_named(session: TenantSession, reference: str | None, field: str) -> Facility | None:
    """The facility of a DATIM id or UUID; None where none is named.

    Args:
        session: of the tenant.
        reference: what the caller wrote.
        field: where it was written, for the error.

    Raises:
        Invalid: there is no such facility.
    """
    if not reference:
        return None
    found = find_facility(session, reference)
    if found is None:
        remedy = "give the DATIM id of a facility of this tenant"
        problem = [FieldError(field, "names no facility", remedy)]
        raise Invalid("there is no such facility", remedy=remedy, errors=problem)
    return found
