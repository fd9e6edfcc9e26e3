"""Tables of facilities and patients. This module also exports the tables of events from ``models_care``."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, DateTime, Index, Text, UniqueConstraint, text
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.records.care_fields import STATES, FacilityDetails, PatientStateFields
from tenants.records.ids import new_uuid
from tenants.records.models_assignment import PatientAssignment
from tenants.records.models_care import (
    Appointment,
    Contact,
    Dispensation,
    Encounter,
    Observation,
    PatientEvent,
    UnreadContact,
    Visit,
)
from tenants.records.models_identity import PatientIdentity
from tenants.records.models_people import PatientContent, PatientStatement
from tenants.records.models_runs import RecordCoverage, RecordGap, RecordRun
from tenants.records.versioned import Versioned, chain_rules, version_rules

__all__ = [
    "Appointment",
    "Contact",
    "Dispensation",
    "Encounter",
    "Facility",
    "Observation",
    "Patient",
    "PatientAssignment",
    "PatientIdentity",
    "PatientState",
    "PatientStatement",
    "RecordCoverage",
    "RecordGap",
    "RecordRun",
    "RecordSource",
    "UnreadContact",
    "Versioned",
    "Visit",
]


class _NamedFacility(TenantBase):
    """Mixin: identifiers and name of a facility."""

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    version_id: UUID = Field(default_factory=new_uuid)
    datim_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)


class Facility(FacilityDetails, _NamedFacility, table=True):
    """A clinic. It has no versions, because no prediction uses its name or place.

    Attributes:
        complete_through: the last date to which the facility's records are complete; outcomes after it stay open.
        data_date: the newest date to which any import of this facility runs.
    """

    __tablename__ = "facilities"
    __table_args__ = (
        UniqueConstraint("datim_id", name="uq_facilities_datim_id"),
        Index("ix_facilities_state_province", "state_province"),
    )

    source: str = Field(sa_type=Text)
    complete_through: date | None = Field(default=None, sa_type=Date)
    data_date: date | None = Field(default=None, sa_type=Date)
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


WITHOUT_NAME_KEYS = (
    "(given_name_enc IS NOT NULL AND given_name_bidx IS NULL)"
    " OR (family_name_enc IS NOT NULL AND family_name_bidx IS NULL)"
)
"""The condition of rows whose names have no keys yet: an earlier release wrote them."""


class Patient(PatientContent, Versioned, table=True):
    """A person at a facility. ``people`` computes the versions from all statements about the person."""

    __tablename__ = "patients"
    __table_args__ = (
        *version_rules("patients"),
        CheckConstraint("sex IN ('F', 'M')", name="sex"),
        Index("ix_patients_uuid", "uuid"),
        Index("ix_patients_pepfar_id_bidx", "pepfar_id_bidx", postgresql_where=text("known_to IS NULL")),
        Index("ix_patients_hospital_number_bidx", "hospital_number_bidx", postgresql_where=text("known_to IS NULL")),
        Index("ix_patients_phone_bidx", "phone_bidx", postgresql_where=text("known_to IS NULL")),
        Index(
            "ix_patients_name_bidx",
            "given_name_bidx",
            "family_name_bidx",
            postgresql_using="gin",
            postgresql_where=text("known_to IS NULL"),
        ),
        Index("ix_patients_without_name_keys", "uuid", postgresql_where=text(WITHOUT_NAME_KEYS)),
        Index("ix_patients_datim_id", "datim_id", postgresql_where=text("known_to IS NULL")),
        Index("ix_patients_state_province", "state_province", postgresql_where=text("known_to IS NULL")),
        Index("ix_patients_facility_uuid", "facility_uuid"),
    )


class PatientState(PatientStateFields, PatientEvent, table=True):
    """A recorded state of a patient: died, transferred out or in, stopped treatment, or record invalid.

    ``invalid``: the source has invalidated the record (duplicate, non-existent, biometrically naive). An empty
    ``start_date`` means that the day is unknown; then the state counts from the day of ``known_from``.
    """

    __tablename__ = "patient_states"
    __table_args__ = (
        *chain_rules("patient_states"),
        CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="state"),
        Index("ix_patient_states_patient_uuid", "patient_uuid", "start_date"),
    )


class RecordSource(TenantBase, table=True):
    """An unused table, replaced by ``record_runs`` and ``record_coverage``. A later release drops it."""

    __tablename__ = "record_sources"

    facility_uuid: UUID = Field(primary_key=True)
    source: str = Field(sa_type=Text, primary_key=True)
    table_name: str = Field(sa_type=Text, primary_key=True)
    first_import_uuid: UUID
    first_data_date: date = Field(sa_type=Date)
    data_date: date = Field(sa_type=Date)
    updated_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
