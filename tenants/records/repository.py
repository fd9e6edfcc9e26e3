"""SQL that reads patients and facilities: lists, look-ups and histories."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func
from sqlmodel import col, select

from core.clock import today
from core.database import TenantSession
from core.privacy import vault
from core.web.keyset import Slice, read_slice
from core.web.paging import PageRequest
from tenants.records.days import visible
from tenants.records.filters import FacilityFilter, PatientFilter
from tenants.records.ids import uuid_floor
from tenants.records.models import Facility, Patient
from tenants.records.reach import facility_within_reach, within_reach

_HIDDEN = {
    "pepfar_id": col(Patient.pepfar_id_bidx),
    "hospital_number": col(Patient.hospital_number_bidx),
    "phone": col(Patient.phone_bidx),
}
"""Blind index of each personal identifier."""


def patient_conditions(session: TenantSession, wanted: PatientFilter) -> list[ColumnElement[bool]]:
    """The conditions by which a filter selects versions of patients.

    Raises:
        Invalid: an identifier has no letter or digit, or a phone no digit.
    """
    conditions: list[ColumnElement[bool]] = [
        visible(Patient, session.tenant, wanted.as_of),
        within_reach(session, Patient.facility_uuid, col(Patient.uuid)),
    ]
    equal: dict[Any, object] = {
        col(Patient.datim_id): wanted.facility,
        col(Patient.sex): wanted.sex,
        col(Patient.state_province): wanted.state_province,
    }
    conditions += [column == value for column, value in equal.items() if value is not None]
    if identifiers := wanted.identifiers():
        safe = vault(session)
        conditions += [_HIDDEN[name] == safe.blind_index(name, text) for name, text in identifiers.items()]
    day = wanted.as_of or today(session.tenant.time_zone)
    if wanted.age_min is not None:
        conditions.append(col(Patient.birthdate) <= years_before(day, wanted.age_min))
    if wanted.age_max is not None:
        conditions.append(col(Patient.birthdate) > years_before(day, wanted.age_max + 1))
    if wanted.art_start_from is not None:
        conditions.append(col(Patient.art_start_date) >= wanted.art_start_from)
    if wanted.art_start_to is not None:
        conditions.append(col(Patient.art_start_date) <= wanted.art_start_to)
    if wanted.updated_since is not None:
        conditions.append(col(Patient.version_id) >= uuid_floor(wanted.updated_since))
    return conditions


def page_of_versions(session: TenantSession, wanted: PatientFilter, paging: PageRequest) -> Slice[Any]:
    """The versions on one page of patients: rows with ``version_id``, ``uuid`` and ``known_from``."""
    columns = {"id": col(Patient.uuid), "known_from": col(Patient.known_from)}
    statement: Any = select(Patient.version_id, Patient.uuid, Patient.known_from)
    matching = statement.where(*patient_conditions(session, wanted))
    return read_slice(session, matching, paging, columns, col(Patient.uuid))


def count_patients(session: TenantSession, wanted: PatientFilter) -> int:
    """The number of patients that match."""
    return int(
        session.exec(select(func.count()).select_from(Patient).where(*patient_conditions(session, wanted))).one()
    )


def patients_after(session: TenantSession, wanted: PatientFilter, cursor: UUID | None, limit: int) -> Sequence[Patient]:
    """The next patients after a UUID, in the order of UUIDs."""
    conditions = patient_conditions(session, wanted)
    if cursor is not None:
        conditions.append(col(Patient.uuid) > cursor)
    return session.exec(select(Patient).where(*conditions).order_by(col(Patient.uuid)).limit(limit)).all()


def patient_as_of(session: TenantSession, uuid: UUID, as_of: date | None) -> Patient | None:
    """The patient's version that is open now, or was known as of a day; None if there is none or it is voided."""
    return session.exec(
        select(Patient).where(
            col(Patient.uuid) == uuid,
            visible(Patient, session.tenant, as_of),
            within_reach(session, Patient.facility_uuid, col(Patient.uuid)),
        )
    ).first()


def patients_by_identifier(session: TenantSession, text: str, as_of: date | None = None) -> Sequence[Patient]:
    """Up to three patients with this programme identifier; if there are none, with this hospital number.

    Raises:
        Invalid: ``text`` has no letter or digit.
    """
    safe = vault(session)
    for purpose, column in (("pepfar_id", Patient.pepfar_id_bidx), ("hospital_number", Patient.hospital_number_bidx)):
        rows = session.exec(
            select(Patient)
            .where(
                col(column) == safe.blind_index(purpose, text),
                visible(Patient, session.tenant, as_of),
                within_reach(session, Patient.facility_uuid, col(Patient.uuid)),
            )
            .order_by(col(Patient.uuid))
            .limit(3),
        ).all()
        if rows:
            return rows
    return ()


def patient_versions(session: TenantSession, uuid: UUID, paging: PageRequest) -> Slice[Patient]:
    """One page of the versions of a patient."""
    statement = select(Patient).where(
        col(Patient.uuid) == uuid, within_reach(session, Patient.facility_uuid, col(Patient.uuid))
    )
    return read_slice(session, statement, paging, {"known_from": col(Patient.known_from)}, col(Patient.version_id))


def find_facility(session: TenantSession, datim_id: str) -> Facility | None:
    """A facility by its DATIM id."""
    return session.exec(
        select(Facility).where(col(Facility.datim_id) == datim_id, facility_within_reach(session, Facility.uuid))
    ).first()


def facility_of_id(session: TenantSession, uuid: UUID, *, lock: bool = False) -> Facility | None:
    """A facility by its identifier."""
    statement = select(Facility).where(col(Facility.uuid) == uuid, facility_within_reach(session, Facility.uuid))
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return session.exec(statement).first()


def datim_ids(session: TenantSession, uuids: Iterable[UUID]) -> dict[UUID, str]:
    """The DATIM id of each of these facilities."""
    distinct = set(uuids)
    if not distinct:
        return {}
    pairs = select(Facility.uuid, Facility.datim_id).where(col(Facility.uuid).in_(distinct))
    return dict(session.exec(pairs).all())


def facility_uuids(session: TenantSession, datim_ids: Iterable[str]) -> dict[str, UUID]:
    """The id of the facility with each of these DATIM ids."""
    distinct = set(datim_ids)
    if not distinct:
        return {}
    pairs = select(Facility.datim_id, Facility.uuid).where(col(Facility.datim_id).in_(distinct))
    return dict(session.exec(pairs).all())


def facility_names(session: TenantSession, datim_ids: Iterable[str]) -> dict[str, str]:
    """The name of each of these facilities, by DATIM id."""
    distinct = set(datim_ids)
    if not distinct:
        return {}
    pairs = select(Facility.datim_id, Facility.name).where(col(Facility.datim_id).in_(distinct))
    return dict(session.exec(pairs).all())


def list_facilities(session: TenantSession, wanted: FacilityFilter, paging: PageRequest) -> Slice[Facility]:
    """One page of facilities."""
    conditions: list[ColumnElement[bool]] = [facility_within_reach(session, Facility.uuid)]
    if wanted.datim_id is not None:
        conditions.append(col(Facility.datim_id) == wanted.datim_id)
    if wanted.state_province is not None:
        conditions.append(col(Facility.state_province) == wanted.state_province)
    if wanted.name is not None:
        conditions.append(col(Facility.name).icontains(wanted.name, autoescape=True))
    columns = {"name": col(Facility.name), "datim_id": col(Facility.datim_id)}
    return read_slice(session, select(Facility).where(*conditions), paging, columns, col(Facility.uuid))


def newest_data_date(session: TenantSession) -> date | None:
    """Return the newest date to which an import of any facility runs; None before the first."""
    return session.exec(select(func.max(col(Facility.data_date)))).one()


def as_uuid(text: str) -> UUID | None:
    """The UUID in a text; None if the text is not a UUID."""
    try:
        return UUID(text)
    except ValueError:
        return None


def years_before(day: date, years: int) -> date:
    """The latest birth date of a person who is at least ``years`` old on ``day``.

    A person born on 29 February completes a year on 1 March, if the year has no 29 February.
    """
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def completed_years(birthdate: date, day: date) -> int:
    """Age on ``day`` in completed years, at least 0."""
    return max(0, day.year - birthdate.year - ((day.month, day.day) < (birthdate.month, birthdate.day)))
