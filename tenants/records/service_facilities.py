"""The service of facilities: read, add and change them."""

from uuid import UUID

from core import audit
from core.clock import now
from core.database import TenantSession
from core.errors import Conflict, FieldError, NotFound
from core.web.etag import ExpectedVersions
from core.web.paging import Page, PageRequest
from tenants.records.filters import FacilityFilter
from tenants.records.ids import API_SOURCE, new_uuid
from tenants.records.locks import lock_for_import
from tenants.records.models import Facility
from tenants.records.repository import facility_of_id, find_facility, list_facilities
from tenants.records.schemas import FacilityOut, FacilityPost, FacilityPut


def read_facilities(session: TenantSession, wanted: FacilityFilter, paging: PageRequest) -> Page[FacilityOut]:
    """One page of facilities."""
    part = list_facilities(session, wanted, paging)
    return Page.of([_shown(row) for row in part.rows], paging, part.total, part.last)


def read_facility(session: TenantSession, facility_id: UUID) -> FacilityOut:
    """The facility with this UUID.

    Raises:
        NotFound: there is no such facility.
    """
    return _shown(_present(facility_of_id(session, facility_id)))


def create_facility(session: TenantSession, body: FacilityPost) -> FacilityOut:
    """Add a facility.

    Raises:
        Conflict: there is a facility with this DATIM id.
    """
    lock_for_import(session)  # imports add facilities too
    if find_facility(session, body.datim_id) is not None:
        problem = FieldError("body.datim_id", "belongs to a facility that is there", "change that one with PUT")
        detail = "there is a facility with this DATIM id"
        raise Conflict(detail, errors=[problem])
    row = Facility(source=API_SOURCE, **body.model_dump())
    session.add(row)
    session.flush()
    audit.record(session, "api:facility:create", "facility", row.uuid)
    return _shown(row)


def change_facility(
    session: TenantSession, facility_id: UUID, body: FacilityPut, expected: ExpectedVersions
) -> FacilityOut:
    """Replace the name and place of a facility.

    Raises:
        NotFound: there is no such facility.
        PreconditionFailed: the caller's version is not the newest.
    """
    row = _present(facility_of_id(session, facility_id, lock=True))
    expected.check(row.version_id)
    changed = {name: value for name, value in body.model_dump().items() if getattr(row, name) != value}
    if changed:
        row.sqlmodel_update(changed | {"version_id": new_uuid(), "updated_at": now()})
        session.add(row)
        session.flush()
        audit.record(session, "api:facility:update", "facility", row.uuid, {"fields": sorted(changed)})
    return _shown(row)


def _shown(row: Facility) -> FacilityOut:
    return FacilityOut.model_validate({**row.model_dump(), "id": row.uuid})


def _present(row: Facility | None) -> Facility:
    if row is None:
        detail = "there is no such facility"
        raise NotFound(detail)
    return row
