"""Events of care: visits, encounters, observations, dispensations, appointments, and the contacts derived from them."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, DateTime, Index, Text, text
from sqlmodel import Field

from core.database import TenantBase
from tenants.records.care_fields import (
    STATUSES,
    AppointmentFields,
    DispensationFields,
    EncounterFields,
    ObservationFields,
    PickupFields,
    SupplyFields,
    VisitFields,
)
from tenants.records.ids import new_uuid
from tenants.records.versioned import ContentRuns, chain_rules


class PatientEvent(ContentRuns):
    """Mixin: an event of a patient."""

    patient_uuid: UUID


class VisitEvent(PatientEvent):
    """Mixin: an event that may lie within a visit."""

    visit_uuid: UUID | None = None


class EncounterEvent(PatientEvent):
    """Mixin: an event that may lie within an encounter."""

    encounter_uuid: UUID | None = None


class Visit(VisitFields, PatientEvent, table=True):
    """A patient's visit to the facility. ``visit_type`` is clinical, pharmacy, laboratory or the source's own word."""

    __tablename__ = "visits"
    __table_args__ = (
        *chain_rules("visits"),
        Index("ix_visits_patient_uuid", "patient_uuid", "date_started"),
        Index("ix_visits_date_started", "date_started"),
    )


class Encounter(EncounterFields, VisitEvent, table=True):
    """A form or consultation, mostly within a visit. It is not a contact."""

    __tablename__ = "encounters"
    __table_args__ = (
        *chain_rules("encounters"),
        Index("ix_encounters_patient_uuid", "patient_uuid", "encounter_datetime"),
        Index("ix_encounters_encounter_datetime", "encounter_datetime"),
    )


class Observation(ObservationFields, VisitEvent, EncounterEvent, table=True):
    """A measurement, or a coded answer about a patient.

    Attributes:
        variable_name: such as ``viral_load`` (copies/mL), ``cd4`` (cells/mm3), ``who_stage`` (1-4),
            ``arv_adherence``, ``pregnancy``, ``weight`` (kg), ``height`` (cm).
        concept_id: the source's concept, where it has one.
        value_numeric: the number in ``unit``; for a result below a limit, the limit, with ``<`` in ``value_text``. If
            all values are empty, a sample was taken and has no result.
    """

    __tablename__ = "observations"
    __table_args__ = (
        *chain_rules("observations"),
        Index("ix_observations_patient_uuid", "patient_uuid", "obs_datetime"),
        Index("ix_observations_obs_datetime", "obs_datetime"),
        Index("ix_observations_variable_name", "variable_name"),
        Index("ix_observations_concept_id", "concept_id", postgresql_where=text("concept_id IS NOT NULL")),
    )


class Dispensation(DispensationFields, EncounterEvent, table=True):
    """Dispensed drugs. ``dsd_model`` is the model of differentiated service delivery.

    ``antiretroviral`` is false for other drugs (isoniazid, cotrimoxazole), which are neither a supply nor a contact.
    """

    __tablename__ = "dispensations"
    __table_args__ = (
        *chain_rules("dispensations"),
        Index("ix_dispensations_patient_uuid", "patient_uuid", "date_dispensed"),
        Index("ix_dispensations_date_dispensed", "date_dispensed"),
    )


class Appointment(AppointmentFields, PatientEvent, table=True):
    """A booking made on ``booked_on`` for ``due_date``, and its outcome."""

    __tablename__ = "appointments"
    __table_args__ = (
        *chain_rules("appointments"),
        CheckConstraint(f"status IN ({', '.join(map(repr, STATUSES))})", name="status"),
        Index("ix_appointments_patient_uuid", "patient_uuid", "due_date"),
        Index("ix_appointments_due_date", "due_date"),
    )


class Contact(PickupFields, SupplyFields, TenantBase, table=True):
    """A patient's contact on one day, which ``tenants.records.contacts`` merges from the facts of the day.

    It has versions like the facts it comes from (``known_from``, ``known_to``), and is never written by hand.
    """

    __tablename__ = "contacts"
    __table_args__ = (
        Index(
            "uq_contacts_patient_uuid_open",
            "patient_uuid",
            "contact_date",
            unique=True,
            postgresql_where=text("known_to IS NULL"),
        ),
        Index("ix_contacts_patient_uuid", "patient_uuid", "contact_date"),
        Index("ix_contacts_facility_uuid", "facility_uuid", "contact_date"),
        CheckConstraint("known_to IS NULL OR known_to > known_from", name="known_order"),
    )

    contact_id: UUID = Field(default_factory=new_uuid, primary_key=True)
    patient_uuid: UUID
    contact_date: date = Field(sa_type=Date)
    facility_uuid: UUID
    clinical: bool
    pickup: bool
    known_from: datetime = Field(sa_type=DateTime(timezone=True))
    known_to: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    known_assumed: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})


class UnreadContact(TenantBase, table=True):
    """A contact of a partner's list on an unreadable day: the person came, but nobody knows when.

    Imports write it; nobody edits it. While it is open the person is never judged late by the missing contact.

    Attributes:
        list_kind: the import's format.
        list_date: the day to which the list ran.
        partner_status: the partner's own word for the person in that list, if it has one.
        known_to: when a later list of this kind named the person without an unread cell, or a corrected list came.
    """

    __tablename__ = "unread_contacts"
    __table_args__ = (
        CheckConstraint(
            "partner_status IN ('active', 'active_restart', 'iit', 'stopped', 'died', 'transferred_out', 'invalid',"
            " 'unknown')",
            name="partner_status",
        ),
        CheckConstraint("known_to IS NULL OR known_to >= known_from", name="known_order"),
        Index("ix_unread_contacts_import_uuid", "import_uuid"),
    )

    patient_uuid: UUID = Field(primary_key=True)
    source: str = Field(primary_key=True, sa_type=Text)
    list_kind: str = Field(primary_key=True, sa_type=Text)
    import_uuid: UUID = Field(primary_key=True)
    facility_uuid: UUID
    list_date: date = Field(sa_type=Date)
    partner_status: str | None = Field(default=None, sa_type=Text)
    known_from: datetime = Field(sa_type=DateTime(timezone=True))
    known_to: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
