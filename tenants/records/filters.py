"""Filters of lists. Each class is a group of query parameters, without any SQL."""

from dataclasses import dataclass, fields
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query

from core.web.days import IsoDay, IsoInstant, check_order
from tenants.records.vocabulary import MAX_AGE_YEARS

AsOf = Annotated[
    IsoDay | None,
    Query(
        description="What was known at the end of this day, in the tenant's time zone. Default: now.",
        examples=["2026-03-31"],
    ),
]
Facility = Annotated[str | None, Query(description="DATIM id of the facility.", examples=["hZ7mJp5xUQq"])]
PatientId = Annotated[UUID | None, Query(description="Identifier of the patient.")]
UpdatedSince = Annotated[
    IsoInstant | None, Query(description="Only rows that were written here at or after this instant.")
]


class _Filter:
    def used(self) -> list[str]:
        """The names of the filters that are set, for the audit. Values are left out: a phone is personal data."""
        return [item.name for item in fields(self) if getattr(self, item.name) is not None]  # type: ignore[arg-type]


@dataclass(frozen=True)
class PatientFilter(_Filter):
    """Query parameters that filter a list of patients."""

    facility: Facility = None
    sex: Annotated[Literal["F", "M"] | None, Query(description="As recorded.")] = None
    age_min: Annotated[
        int | None, Query(ge=0, le=MAX_AGE_YEARS, description="Completed years, at `as_of` or today.")
    ] = None
    age_max: Annotated[
        int | None, Query(ge=0, le=MAX_AGE_YEARS, description="Completed years, at `as_of` or today.")
    ] = None
    state_province: Annotated[str | None, Query(description="State of residence, as recorded.")] = None
    art_start_from: Annotated[IsoDay | None, Query(description="ART started on this day or later.")] = None
    art_start_to: Annotated[IsoDay | None, Query(description="ART started on this day or earlier.")] = None
    updated_since: UpdatedSince = None
    as_of: AsOf = None

    def __post_init__(self) -> None:
        """Reject a range that ends before it starts."""
        check_order("age_min", self.age_min, "age_max", self.age_max)
        check_order("art_start_from", self.art_start_from, "art_start_to", self.art_start_to)

    def identifiers(self) -> dict[str, str]:
        """The personal identifiers that must match, by name.

        This filter has none, because its values are in the URL.
        """
        return {}


@dataclass(frozen=True)
class IdentifierFilter(PatientFilter):
    """A filter of patients by personal identifiers too. They come in a body, because addresses are logged."""

    pepfar_id: str | None = None
    hospital_number: str | None = None
    phone: str | None = None
    name: str | None = None

    def identifiers(self) -> dict[str, str]:
        """The personal identifiers that must match, by name."""
        pairs = {"pepfar_id": self.pepfar_id, "hospital_number": self.hospital_number, "phone": self.phone}
        return {name: text for name, text in pairs.items() if text is not None}


@dataclass(frozen=True)
class VisitFilter(_Filter):
    """Query parameters that filter a list of visits."""

    patient_id: PatientId = None
    facility: Facility = None
    date_from: Annotated[IsoDay | None, Query(description="Started on this day or later.")] = None
    date_to: Annotated[IsoDay | None, Query(description="Started on this day or earlier.")] = None
    visit_type: Annotated[str | None, Query(description="Only visits of this type.", examples=["clinical"])] = None
    updated_since: UpdatedSince = None
    as_of: AsOf = None

    def __post_init__(self) -> None:
        """Reject a range that ends before it starts."""
        check_order("date_from", self.date_from, "date_to", self.date_to)


@dataclass(frozen=True)
class EncounterFilter(_Filter):
    """Query parameters that filter a list of encounters."""

    patient_id: PatientId = None
    facility: Facility = None
    date_from: Annotated[IsoDay | None, Query(description="On this day or later, in the tenant's time zone.")] = None
    date_to: Annotated[IsoDay | None, Query(description="On this day or earlier, in the tenant's time zone.")] = None
    encounter_type: Annotated[str | None, Query(description="Only encounters of this type.", examples=["pharmacy"])] = (
        None
    )
    updated_since: UpdatedSince = None
    as_of: AsOf = None

    def __post_init__(self) -> None:
        """Reject a range that ends before it starts."""
        check_order("date_from", self.date_from, "date_to", self.date_to)


@dataclass(frozen=True)
class ObservationFilter(_Filter):
    """Query parameters that filter a list of observations."""

    patient_id: PatientId = None
    facility: Facility = None
    date_from: Annotated[IsoDay | None, Query(description="On this day or later, in the tenant's time zone.")] = None
    date_to: Annotated[IsoDay | None, Query(description="On this day or earlier, in the tenant's time zone.")] = None
    variable_name: Annotated[
        str | None, Query(description="Only observations of this variable.", examples=["viral_load"])
    ] = None
    concept_id: Annotated[int | None, Query(description="The source's concept.", examples=[856])] = None
    updated_since: UpdatedSince = None
    as_of: AsOf = None

    def __post_init__(self) -> None:
        """Reject a range that ends before it starts."""
        check_order("date_from", self.date_from, "date_to", self.date_to)


@dataclass(frozen=True)
class CareFilter(_Filter):
    """Query parameters that filter a list of dispensations, appointments or contacts."""

    patient_id: PatientId = None
    facility: Facility = None
    date_from: Annotated[IsoDay | None, Query(description="On this day or later.")] = None
    date_to: Annotated[IsoDay | None, Query(description="On this day or earlier.")] = None
    as_of: AsOf = None

    def __post_init__(self) -> None:
        """Reject a range that ends before it starts."""
        check_order("date_from", self.date_from, "date_to", self.date_to)


@dataclass(frozen=True)
class FacilityFilter(_Filter):
    """Query parameters that filter a list of facilities."""

    datim_id: Annotated[str | None, Query(description="Exactly this DATIM id.", examples=["hZ7mJp5xUQq"])] = None
    state_province: Annotated[str | None, Query(description="State, as recorded.")] = None
    name: Annotated[str | None, Query(description="Part of the name.", min_length=2)] = None
