"""Typed facts that readers make from a partner's files, each with its file and line.

A reader yields one ``Reading`` per row (or per person, where a file holds one). ``tenants.imports.staging.stager``
decides what a rejection affects: a wrong event rejects its whole row; a wrong date of death does not reject the person.
Identifiers (``patient``, ``key``) are the source's own texts. They live only in memory, and become keyed blind indexes
in the staging table. If an identifier is a number, the table also stores it, encrypted, until the import ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from tenants.records.care_fields import (
    AppointmentFields,
    DispensationFields,
    EncounterFields,
    FacilityDetails,
    ObservationFields,
    PatientDetails,
    PatientStateFields,
    VisitFields,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

KINDS = (
    "facilities",
    "patients",
    "patient_states",
    "visits",
    "encounters",
    "observations",
    "dispensations",
    "appointments",
    "snapshots",
    "unread_contacts",
)
"""The kinds of fact, in the order in which imports apply them: facilities and people come before events."""


@dataclass(slots=True, kw_only=True)
class Fact:
    """The fields of every fact.

    Attributes:
        key: what identifies the fact in its source, below its facility; the same key later is an update.
        facility: DATIM id of the facility; None means the patient's own.
        known_at: the source's created or changed stamp, if it has one. A time without a zone is in the tenant's zone.
        labels: the source's names of the fields, for the report; facts share them.
        voided: the source has voided the record. It becomes a tombstone, and its other fields do not count.
    """

    kind: ClassVar[str] = ""
    key: str
    facility: str | None = None
    known_at: datetime | None = None
    labels: Mapping[str, str] | None = None
    voided: bool = False

    def event_date(self) -> date | None:
        """The day of the fact, if it has one."""
        return None

    def label(self, field: str) -> str:
        """The source's name for a field."""
        return self.labels.get(field, field) if self.labels else field


@dataclass(slots=True, kw_only=True)
class FacilityFact(FacilityDetails, Fact):
    """A clinic. ``key`` is its DATIM id."""

    kind: ClassVar[str] = "facilities"
    name: str | None = None


@dataclass(slots=True, kw_only=True)
class PatientBound(Fact):
    """A fact about a patient, named by the source's identifier."""

    patient: str


@dataclass(slots=True, kw_only=True)
class PersonFact(PatientBound):
    """Who a person is."""

    pepfar_id: str | None = None
    hospital_number: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    phone: str | None = None
    sex: str | None = None
    birthdate: date | None = None
    birthdate_estimated: bool = False


@dataclass(slots=True, kw_only=True)
class PatientFact(PatientDetails, PersonFact):
    """A person on treatment.

    Attributes:
        derived_on: the day of the row that the person was read from, where rows are events and repeat the person;
            of several rows the latest day wins. None where a row is a person.
        partial: the row has only some fields of the person: a field that is None keeps its known value. Otherwise None
            means that it is not recorded.
        fallback: fields that count only where no other value is known, such as an identifier in place of another.
    """

    kind: ClassVar[str] = "patients"
    transferred_in: bool | None = None  # type: ignore[assignment]  # None: not stated
    derived_on: date | None = None
    partial: bool = False
    fallback: tuple[str, ...] = ()

    def event_date(self) -> date | None:
        """The start of ART; None leaves it to the earliest dated fact of the person."""
        return self.art_start_date


@dataclass(slots=True, kw_only=True)
class PatientStateFact(PatientStateFields, PatientBound):
    """A state: died, transferred out or in, stopped, or invalidated by the source; the day may be unknown."""

    kind: ClassVar[str] = "patient_states"

    def event_date(self) -> date | None:
        """The day from which the state holds."""
        return self.start_date


@dataclass(slots=True, kw_only=True)
class VisitFact(VisitFields, PatientBound):
    """A visit to the facility; ``next_appointment`` is the date given for the next one."""

    kind: ClassVar[str] = "visits"
    visit_type: str | None = "clinical"

    def event_date(self) -> date | None:
        """The day of the visit."""
        return self.date_started


@dataclass(slots=True, kw_only=True)
class EncounterFact(EncounterFields, PatientBound):
    """A form filled in for a patient."""

    kind: ClassVar[str] = "encounters"

    def event_date(self) -> date | None:
        """The day of the encounter, as the source writes it."""
        return self.encounter_datetime.date()


@dataclass(slots=True, kw_only=True)
class ObservationFact(ObservationFields, PatientBound):
    """A measurement: viral load in copies/mL, CD4 in cells/mm3, weight in kg, and so on.

    If all values are None, it is a sample without a result.
    """

    kind: ClassVar[str] = "observations"

    def event_date(self) -> date | None:
        """The day of the observation, as the source writes it."""
        return self.obs_datetime.date()


@dataclass(slots=True, kw_only=True)
class DispensationFact(DispensationFields, PatientBound):
    """Dispensed drugs; ``days_supplied`` in days. Only antiretrovirals are a supply and a contact.

    ``supply_unread``: the source gives a supply that cannot be read, so the usual one must not replace it.
    """

    kind: ClassVar[str] = "dispensations"
    supply_unread: bool = False

    def event_date(self) -> date | None:
        """The day of the pick-up."""
        return self.date_dispensed


@dataclass(slots=True, kw_only=True)
class AppointmentFact(AppointmentFields, PatientBound):
    """A booking on ``booked_on`` for ``due_date``; its outcome is known from the due date on."""

    kind: ClassVar[str] = "appointments"

    def event_date(self) -> date | None:
        """The day on which it was booked."""
        return self.booked_on


@dataclass(slots=True, kw_only=True)
class SnapshotFact(PatientBound):
    """A patient's status in the partner's own list, on the day to which the list runs (the data date).

    Attributes:
        status: active, active_restart, iit, stopped, died, transferred_out or invalid; ``unknown`` for any
            other word.
        last_pickup: the last pick-up on the list, and ``days_supplied`` its supply, in days.
    """

    kind: ClassVar[str] = "snapshots"
    status: str
    status_date: date | None = None
    previous_status: str | None = None
    previous_date: date | None = None
    last_pickup: date | None = None
    days_supplied: int | None = None


@dataclass(slots=True, kw_only=True)
class UnreadContactFact(PatientBound):
    """A contact of a patient on an unreadable day: the row proves the contact, but not its day.

    ``key`` is the patient's identifier with ``not_after``, so a list has at most one such fact per patient and bound.

    Attributes:
        partner_status: the partner's own status of the person in that row, as in ``SnapshotFact``; None where the list
        has none.
        not_after: the contact was on this day or before, as another cell of the row says. If the same list has a
        readable contact on that day or later, this fact adds nothing.
    """

    kind: ClassVar[str] = "unread_contacts"
    partner_status: str | None = None
    not_after: date | None = None

    def __post_init__(self) -> None:
        """Give rows with different bounds different keys."""
        self.key = self.patient if self.not_after is None else f"{self.patient}\x1f{self.not_after}"


FACT_TYPES: dict[str, type[Fact]] = {
    fact.kind: fact
    for fact in (
        FacilityFact,
        PatientFact,
        PatientStateFact,
        VisitFact,
        EncounterFact,
        ObservationFact,
        DispensationFact,
        AppointmentFact,
        SnapshotFact,
        UnreadContactFact,
    )
}


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a row was rejected. It has the source's name of the field, and no value of the row."""

    field: str
    problem: str
    remedy: str


@dataclass(slots=True)
class Reading:
    """One row of a file: its facts, and why it or a part of it is rejected. A row that is left out has neither.

    Attributes:
        file: index of the file among the sources.
        line: line (row of a sheet) that the row begins on, counted from 1 with the heading.
        omissions: cells that are left out, and why; the row counts without them.
        facility_name: the row's name for the facility, if it gives no DATIM id.
        patient: identifier of the row's patient, if something is rejected and no fact names the patient.
        facility: DATIM id, in the same case.
    """

    file: int
    line: int
    facts: list[Fact] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    left_out: bool = False
    omissions: list[Rejection] = field(default_factory=list)
    facility_name: str | None = None
    patient: str | None = None
    facility: str | None = None


def unread_contact(fact: Fact, reading: Reading, not_after: date | None = None) -> UnreadContactFact:
    """A contact of a person on an unreadable day, with the partner's status of the person in the same row.

    Args:
        fact: about the person; its next appointment bounds the day.
        reading: the row.
        not_after: a day that bounds it.
    """
    if not isinstance(fact, PatientBound):
        message = "a contact is of a patient"
        raise TypeError(message)
    partner_status = next((other.status for other in reading.facts if isinstance(other, SnapshotFact)), None)
    bound = not_after or (fact.next_appointment if isinstance(fact, VisitFact | DispensationFact) else None)
    return UnreadContactFact(
        key=fact.patient,
        patient=fact.patient,
        facility=fact.facility,
        labels=fact.labels,
        partner_status=partner_status,
        not_after=bound,
    )
