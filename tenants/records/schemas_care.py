"""Bodies and answers of the API for visits, encounters, observations, dispensations, appointments and contacts."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from core.web.days import IsoDay, IsoInstant
from tenants.records.care_fields import (
    AppointmentFields,
    DispensationFields,
    EncounterDetails,
    EncounterFields,
    ObservationDetails,
    ObservationFields,
    PickupFields,
    SupplyFields,
    VisitDetails,
    VisitFields,
)
from tenants.records.schemas import Body, DeclaredBody, Identifier, Versions
from tenants.records.vocabulary import VARIABLES

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class _NewEvent(Body):
    patient_id: UUID = Field(description="The patient.")
    facility: Identifier | None = Field(
        default=None, description="DATIM id; the patient's own facility when empty.", examples=["hZ7mJp5xUQq"]
    )


class Event(Versions):
    """The fields that every answer about an event has."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    patient_id: UUID = Field(description="The patient.")


class _VisitBody(VisitDetails, DeclaredBody):
    """The optional fields of a visit."""


class VisitPost(_VisitBody, _NewEvent):
    """A new visit."""

    date_started: IsoDay = Field(examples=["2026-02-03"], description="Day on which the visit began.")


class VisitPatch(_VisitBody):
    """Changes of a visit. Fields that are not sent stay; fields sent as null become empty."""

    date_started: IsoDay | None = Field(default=None, description="Day on which the visit began.")


class VisitOut(VisitFields, Event):
    """A visit."""


class _EncounterBody(EncounterDetails, DeclaredBody):
    """The optional fields of an encounter."""

    visit_id: UUID | None = Field(default=None, description="A visit of the same patient.")


class EncounterPost(_EncounterBody, _NewEvent):
    """A new encounter."""

    encounter_datetime: IsoInstant = Field(
        examples=["2026-02-03T09:30:00+01:00"], description="When the encounter took place."
    )


class EncounterPatch(_EncounterBody):
    """Changes of an encounter. Fields that are not sent stay; fields sent as null become empty."""

    encounter_datetime: IsoInstant | None = Field(default=None, description="When the encounter took place.")


class EncounterOut(EncounterFields, Event):
    """An encounter."""

    visit_id: UUID | None = Field(description="The visit.")


class _ObservationBody(ObservationDetails, DeclaredBody):
    """The optional fields of an observation."""

    encounter_id: UUID | None = Field(default=None, description="An encounter of the same patient.")
    visit_id: UUID | None = Field(default=None, description="A visit of the same patient.")


class ObservationPost(_ObservationBody, _NewEvent):
    """A new observation."""

    obs_datetime: IsoInstant = Field(
        examples=["2026-02-03T09:30:00+01:00"], description="When the observation was made."
    )
    variable_name: Word = Field(examples=["viral_load"], description="What was observed.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        check_value(self.variable_name, self.value_numeric, self.value_coded)
        return self


class ObservationPatch(_ObservationBody):
    """Changes of an observation. Fields that are not sent stay; fields sent as null become empty."""

    obs_datetime: IsoInstant | None = Field(default=None, description="When the observation was made.")


class ObservationOut(ObservationFields, Event):
    """An observation. If all values are empty, a sample was taken and has no result."""

    encounter_id: UUID | None = Field(description="The encounter.")
    visit_id: UUID | None = Field(description="The visit.")


class DispensationOut(DispensationFields, Event):
    """Dispensed drugs."""

    encounter_id: UUID | None = Field(description="The encounter.")


class AppointmentOut(AppointmentFields, Event):
    """A booking, and its outcome."""


class ContactOut(PickupFields, SupplyFields, BaseModel):
    """A patient's contact on one day, merged from the day's visits, dispensations and kept appointments."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: UUID = Field(description="Identifier of this contact.")
    patient_id: UUID = Field(description="The patient.")
    contact_date: date = Field(description="Day of the contact.")
    facility: str = Field(description="DATIM id of the facility.", examples=["hZ7mJp5xUQq"])
    clinical: bool = Field(description="Whether a clinician saw the patient.")
    pickup: bool = Field(description="Whether drugs were picked up.")
    known_from: datetime = Field(description="From when the source knew this.")
    known_to: datetime | None = Field(
        description="Until when the source said this; null: it still does.", examples=[None]
    )
    known_assumed: bool = Field(
        description="Whether `known_from` is the date of the event, because the source gave none.",
        examples=[False],
    )


def check_value(variable_name: str, value_numeric: float | None, value_coded: str | None) -> None:
    """Check that the value of a known variable is possible.

    Raises:
        ValueError: the value is not possible; the message says which values are.
    """
    variable = VARIABLES.get(variable_name)
    if variable is None:
        return
    if value_numeric is not None and variable.low is not None and variable.high is not None:
        unit = f" {variable.unit}" if variable.unit else ""
        if not variable.low <= value_numeric <= variable.high:
            message = f"value_numeric of {variable_name} is from {variable.low:g} to {variable.high:g}{unit}"
            raise ValueError(message)
    if value_coded is not None and variable.coded and value_coded not in variable.coded:
        message = f"value_coded of {variable_name} is one of {', '.join(sorted(variable.coded))}"
        raise ValueError(message)
