"""Facilities and patients. Every table of this room is found here; events of care live in ``models_care``."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, DateTime, Index, LargeBinary, Text, UniqueConstraint, text
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.records.ids import new_uuid
from tenants.records.models_care import Appointment, Contact, Dispensation, Encounter, Observation, UnreadContact, Visit
from tenants.records.models_identity import PatientIdentity
from tenants.records.versioned import Versioned, version_rules

__all__ = [
    "Appointment",
    "Contact",
    "Dispensation",
    "Encounter",
    "Facility",
    "Observation",
    "Patient",
    "PatientIdentity",
    "PatientState",
    "RecordSource",
    "UnreadContact",
    "Versioned",
    "Visit",
]


class Facility(TenantBase, table=True):
    """A clinic. Not versioned: its name and place are not part of any prediction.

    Attributes:
        county_district: the local government area (LGA).
        complete_through: the last date that the reporting volume supports; later dates are not judged.
        data_date: the newest date to which any import of this facility runs.
    """

    __tablename__ = "facilities"
    __table_args__ = (
        UniqueConstraint("datim_id", name="uq_facilities_datim_id"),
        Index("ix_facilities_state_province", "state_province"),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    version_id: UUID = Field(default_factory=new_uuid)
    datim_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    state_province: str | None = Field(default=None, sa_type=Text)
    county_district: str | None = Field(default=None, sa_type=Text)
    source: str = Field(sa_type=Text)
    complete_through: date | None = Field(default=None, sa_type=Date)
    data_date: date | None = Field(default=None, sa_type=Date)
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


class Patient(Versioned, table=True):
    """A person at a facility. What names the person is encrypted (``_enc``) and found by keyed blind index (``_bidx``).

    Attributes:
        personal_hash: keyed digest of the encrypted fields, so that ``row_hash`` sees them change without holding
            them.
        datim_id: the facility's, repeated here for filters.
        art_start_date: start of antiretroviral treatment.
    """

    __tablename__ = "patients"
    __table_args__ = (
        *version_rules("patients"),
        CheckConstraint("sex IN ('F', 'M')", name="sex"),
        Index("ix_patients_uuid", "uuid"),
        Index("ix_patients_pepfar_id_bidx", "pepfar_id_bidx", postgresql_where=text("known_to IS NULL")),
        Index("ix_patients_hospital_number_bidx", "hospital_number_bidx", postgresql_where=text("known_to IS NULL")),
        Index("ix_patients_phone_bidx", "phone_bidx", postgresql_where=text("known_to IS NULL")),
        Index("ix_patients_datim_id", "datim_id", postgresql_where=text("known_to IS NULL")),
        Index("ix_patients_state_province", "state_province", postgresql_where=text("known_to IS NULL")),
        Index("ix_patients_facility_uuid", "facility_uuid"),
    )

    pepfar_id_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    pepfar_id_bidx: bytes | None = Field(default=None, sa_type=LargeBinary)
    hospital_number_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    hospital_number_bidx: bytes | None = Field(default=None, sa_type=LargeBinary)
    given_name_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    family_name_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    phone_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    phone_bidx: bytes | None = Field(default=None, sa_type=LargeBinary)
    personal_hash: bytes | None = Field(default=None, sa_type=LargeBinary)
    sex: str | None = Field(default=None, sa_type=Text)
    birthdate: date | None = Field(default=None, sa_type=Date)
    birthdate_estimated: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    datim_id: str = Field(sa_type=Text)
    state_province: str | None = Field(default=None, sa_type=Text)
    county_district: str | None = Field(default=None, sa_type=Text)
    city_village: str | None = Field(default=None, sa_type=Text)
    art_start_date: date | None = Field(default=None, sa_type=Date)
    transferred_in: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    case_manager: str | None = Field(default=None, sa_type=Text)


class PatientState(Versioned, table=True):
    """What the programme recorded of a patient: died, transferred out or in, stopped treatment, record invalid.

    ``invalid``: the source has invalidated the record (duplicate, non-existent, biometrically naive). An empty
    ``start_date`` means that the day is not known; the state counts from the day of ``known_from``.
    """

    __tablename__ = "patient_states"
    __table_args__ = (
        *version_rules("patient_states"),
        CheckConstraint(
            "state IN ('died', 'transferred_out', 'transferred_in', 'stopped', 'invalid')",
            name="state",
        ),
        Index("ix_patient_states_patient_uuid", "patient_uuid", "start_date"),
    )

    patient_uuid: UUID
    state: str = Field(sa_type=Text)
    start_date: date | None = Field(default=None, sa_type=Date)
    reason: str | None = Field(default=None, sa_type=Text)


class RecordSource(TenantBase, table=True):
    """What has been imported into one table of one facility from one source, kept by ``tenants.records.upsert``.

    Attributes:
        first_import_uuid: the import that brought the history in bulk: only its rows may take an assumed
            ``known_from``.
        first_data_date: the date to which that first import ran.
        data_date: the newest date to which any of them ran.
    """

    __tablename__ = "record_sources"

    facility_uuid: UUID = Field(primary_key=True)
    source: str = Field(sa_type=Text, primary_key=True)
    table_name: str = Field(sa_type=Text, primary_key=True)
    first_import_uuid: UUID
    first_data_date: date = Field(sa_type=Date)
    data_date: date = Field(sa_type=Date)
    updated_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
