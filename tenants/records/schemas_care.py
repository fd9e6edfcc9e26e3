"""What the API says of visits, encounters, observations, dispensations, appointments and contacts."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from core.web.days import IsoInstant
from tenants.records.days import plausible_moment
from tenants.records.schemas import Body, Identifier, Line, Past, Versions
from tenants.records.vocabulary import VARIABLES

Moment = Annotated[IsoInstant, AfterValidator(plausible_moment)]

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class _VisitFacts(Body):
    date_stopped: Past | None = Field(default=None, description="Day on which the visit ended.", examples=[None])
    visit_type: Line | None = Field(
        default=None, description="`clinical`, `pharmacy`, `laboratory`, or the facility's word.", examples=["clinical"]
    )
    next_appointment: Past | None = Field(
        default=None, examples=["2026-05-04"], description="Day of the next appointment, as written at the contact."
    )


class VisitPost(_VisitFacts):
    """A new visit."""

    patient_id: UUID = Field(description="The patient.")
    facility: Identifier | None = Field(
        default=None, description="DATIM id; the patient's own facility when empty.", examples=["hZ7mJp5xUQq"]
    )
    date_started: Past = Field(examples=["2026-02-03"], description="Day on which the visit began.")


class VisitPatch(_VisitFacts):
    """What changes of a visit: fields that are not sent stay, fields sent as null are emptied."""

    date_started: Past | None = Field(default=None, description="Day on which the visit began.")


class VisitOut(Versions):
    """A visit."""

    patient_id: UUID = Field(description="The patient.")
    date_started: date = Field(description="Day on which the visit began.")
    date_stopped: date | None = Field(description="Day on which the visit ended.", examples=[None])
    visit_type: str | None = Field(
        description="`clinical`, `pharmacy`, `laboratory`, or the facility's word.", examples=["clinical"]
    )
    next_appointment: date | None = Field(
        description="Day of the next appointment, as written at the contact.", examples=["2026-05-04"]
    )


class _EncounterFacts(Body):
    visit_id: UUID | None = Field(default=None, description="A visit of the same patient.")
    encounter_type: Line | None = Field(
        default=None, examples=["pharmacy"], description="Kind of encounter, in the facility's word."
    )
    form: Line | None = Field(
        default=None, examples=["Pharmacy Order Form"], description="Name of the form that was filled in."
    )


class EncounterPost(_EncounterFacts):
    """A new encounter."""

    patient_id: UUID = Field(description="The patient.")
    facility: Identifier | None = Field(
        default=None, description="DATIM id; the patient's own facility when empty.", examples=["hZ7mJp5xUQq"]
    )
    encounter_datetime: Moment = Field(
        examples=["2026-02-03T09:30:00+01:00"], description="When the encounter took place."
    )


class EncounterPatch(_EncounterFacts):
    """What changes of an encounter: fields that are not sent stay, fields sent as null are emptied."""

    encounter_datetime: Moment | None = Field(default=None, description="When the encounter took place.")


class EncounterOut(Versions):
    """An encounter."""

    patient_id: UUID = Field(description="The patient.")
    visit_id: UUID | None = Field(description="The visit.")
    encounter_datetime: datetime = Field(description="When the encounter took place.")
    encounter_type: str | None = Field(description="Kind of encounter, in the facility's word.", examples=["pharmacy"])
    form: str | None = Field(description="Name of the form that was filled in.", examples=["Pharmacy Order Form"])


class _ObservationFacts(Body):
    encounter_id: UUID | None = Field(default=None, description="An encounter of the same patient.")
    visit_id: UUID | None = Field(default=None, description="A visit of the same patient.")
    concept_id: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        default=None, examples=[856], description="Number of the concept in the source's dictionary."
    )
    value_numeric: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        default=None, description="In `unit`.", examples=[40]
    )
    value_text: Line | None = Field(
        default=None, description="`<` when the result is below the limit in `value_numeric`.", examples=[None]
    )
    value_coded: Line | None = Field(default=None, description="The result as a code.", examples=[None])
    value_datetime: Moment | None = Field(default=None, description="The result as a date and time.", examples=[None])
    unit: Line | None = Field(default=None, examples=["copies/mL"], description="Unit of `value_numeric`.")


class ObservationPost(_ObservationFacts):
    """A new observation."""

    patient_id: UUID = Field(description="The patient.")
    facility: Identifier | None = Field(
        default=None, description="DATIM id; the patient's own facility when empty.", examples=["hZ7mJp5xUQq"]
    )
    obs_datetime: Moment = Field(examples=["2026-02-03T09:30:00+01:00"], description="When the observation was made.")
    variable_name: Word = Field(examples=["viral_load"], description="What was observed.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        check_value(self.variable_name, self.value_numeric, self.value_coded)
        return self


class ObservationPatch(_ObservationFacts):
    """What changes of an observation: fields that are not sent stay, fields sent as null are emptied."""

    obs_datetime: Moment | None = Field(default=None, description="When the observation was made.")


class ObservationOut(Versions):
    """An observation. All values empty: a sample was taken and no result is recorded."""

    patient_id: UUID = Field(description="The patient.")
    encounter_id: UUID | None = Field(description="The encounter.")
    visit_id: UUID | None = Field(description="The visit.")
    obs_datetime: datetime = Field(description="When the observation was made.")
    variable_name: str = Field(description="What was observed.", examples=["viral_load"])
    concept_id: int | None = Field(description="Number of the concept in the source's dictionary.", examples=[856])
    value_numeric: float | None = Field(description="The result as a number, in `unit`.", examples=[40])
    value_text: str | None = Field(
        description="The result as text; `<` when it is below the limit in `value_numeric`.", examples=[None]
    )
    value_coded: str | None = Field(description="The result as a code.", examples=[None])
    value_datetime: datetime | None = Field(description="The result as a date and time.", examples=[None])
    unit: str | None = Field(description="Unit of `value_numeric`.", examples=["copies/mL"])


class DispensationOut(Versions):
    """Drugs handed out."""

    patient_id: UUID = Field(description="The patient.")
    encounter_id: UUID | None = Field(description="The encounter.")
    date_dispensed: date = Field(description="Day on which the drugs were dispensed.")
    days_supplied: int | None = Field(description="In days.", examples=[90])
    regimen: str | None = Field(description="Regimen, such as TDF/3TC/DTG.", examples=["TDF/3TC/DTG"])
    regimen_line: str | None = Field(description="Line of treatment.", examples=["first"])
    next_appointment: date | None = Field(
        description="Day of the next appointment, as written at the contact.", examples=["2026-05-04"]
    )
    dsd_model: str | None = Field(description="Model of differentiated service delivery.", examples=["MMD"])
    antiretroviral: bool = Field(description="False for other drugs, such as isoniazid: they are no ARV supply.")


class AppointmentOut(Versions):
    """A booking, and what became of it."""

    patient_id: UUID = Field(description="The patient.")
    booked_on: date | None = Field(description="Day on which the booking was written.")
    due_date: date = Field(description="Day of the booking.", examples=["2026-05-04"])
    status: str = Field(description="What became of the booking.", examples=["kept"])


class ContactOut(BaseModel):
    """A patient's contact on one day, merged from the day's visits, dispensations and kept appointments."""

    id: UUID = Field(description="Identifier of this contact.")
    patient_id: UUID = Field(description="The patient.")
    contact_date: date = Field(description="Day of the contact.")
    facility: str = Field(description="DATIM id of the facility.", examples=["hZ7mJp5xUQq"])
    clinical: bool = Field(description="Whether a clinician saw the patient.")
    pickup: bool = Field(description="Whether drugs were picked up.")
    days_supplied: int | None = Field(description="Days of supply.", examples=[90])
    next_appointment: date | None = Field(
        description="Day of the next appointment, as written at the contact.", examples=["2026-05-04"]
    )
    regimen: str | None = Field(description="Regimen, such as TDF/3TC/DTG.", examples=["TDF/3TC/DTG"])
    regimen_line: str | None = Field(description="Line of treatment.", examples=["first"])
    dsd_model: str | None = Field(description="Model of differentiated service delivery.", examples=["MMD"])
    known_from: datetime = Field(description="From when the source knew this.")
    known_to: datetime | None = Field(
        description="Until when the source said this; null: it still does.", examples=[None]
    )
    known_assumed: bool = Field(
        description="Whether `known_from` is the date of the event, because the source gave none."
    )


def check_value(variable_name: str, value_numeric: float | None, value_coded: str | None) -> None:
    """Refuse what a known variable cannot be.

    Raises:
        ValueError: says which values it takes.
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
