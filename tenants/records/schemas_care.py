"""What the API says of visits, encounters, observations, dispensations, appointments and contacts."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from core.web.days import IsoInstant
from tenants.records.days import plausible_moment
from tenants.records.schemas import Body, Identifier, Line, Past, Versions
from tenants.records.vocabulary import VARIABLES

Moment = Annotated[IsoInstant, AfterValidator(plausible_moment)]

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class _VisitFacts(Body):
    date_stopped: Past | None = None
    visit_type: Line | None = Field(
        default=None, description="`clinical`, `pharmacy`, `laboratory`, or the facility's word.", examples=["clinical"]
    )
    next_appointment: Past | None = Field(default=None, examples=["2026-05-04"])


class VisitPost(_VisitFacts):
    """A new visit."""

    patient_uuid: UUID
    facility: Identifier | None = Field(default=None, description="DATIM id; the patient's own facility when empty.")
    date_started: Past = Field(examples=["2026-02-03"])


class VisitPatch(_VisitFacts):
    """What changes of a visit: fields that are not sent stay, fields sent as null are emptied."""

    date_started: Past | None = None


class VisitOut(Versions):
    """A visit."""

    patient_uuid: UUID
    date_started: date
    date_stopped: date | None
    visit_type: str | None
    next_appointment: date | None


class _EncounterFacts(Body):
    visit_uuid: UUID | None = Field(default=None, description="A visit of the same patient.")
    encounter_type: Line | None = Field(default=None, examples=["pharmacy"])
    form: Line | None = Field(default=None, examples=["Pharmacy Order Form"])


class EncounterPost(_EncounterFacts):
    """A new encounter."""

    patient_uuid: UUID
    facility: Identifier | None = Field(default=None, description="DATIM id; the patient's own facility when empty.")
    encounter_datetime: Moment = Field(examples=["2026-02-03T09:30:00+01:00"])


class EncounterPatch(_EncounterFacts):
    """What changes of an encounter: fields that are not sent stay, fields sent as null are emptied."""

    encounter_datetime: Moment | None = None


class EncounterOut(Versions):
    """An encounter."""

    patient_uuid: UUID
    visit_uuid: UUID | None
    encounter_datetime: datetime
    encounter_type: str | None
    form: str | None


class _ObservationFacts(Body):
    encounter_uuid: UUID | None = Field(default=None, description="An encounter of the same patient.")
    visit_uuid: UUID | None = Field(default=None, description="A visit of the same patient.")
    concept_id: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(default=None, examples=[856])
    value_numeric: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        default=None, description="In `unit`.", examples=[40]
    )
    value_text: Line | None = Field(
        default=None, description="`<` when the result is below the limit in `value_numeric`."
    )
    value_coded: Line | None = None
    value_datetime: Moment | None = None
    unit: Line | None = Field(default=None, examples=["copies/mL"])


class ObservationPost(_ObservationFacts):
    """A new observation."""

    patient_uuid: UUID
    facility: Identifier | None = Field(default=None, description="DATIM id; the patient's own facility when empty.")
    obs_datetime: Moment = Field(examples=["2026-02-03T09:30:00+01:00"])
    variable_name: Word = Field(examples=["viral_load"])

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        check_value(self.variable_name, self.value_numeric, self.value_coded)
        return self


class ObservationPatch(_ObservationFacts):
    """What changes of an observation: fields that are not sent stay, fields sent as null are emptied."""

    obs_datetime: Moment | None = None


class ObservationOut(Versions):
    """An observation. All values empty: a sample was taken and no result is recorded."""

    patient_uuid: UUID
    encounter_uuid: UUID | None
    visit_uuid: UUID | None
    obs_datetime: datetime
    variable_name: str
    concept_id: int | None
    value_numeric: float | None
    value_text: str | None
    value_coded: str | None
    value_datetime: datetime | None
    unit: str | None


class DispensationOut(Versions):
    """Drugs handed out."""

    patient_uuid: UUID
    encounter_uuid: UUID | None
    date_dispensed: date
    days_supplied: int | None = Field(description="In days.")
    regimen: str | None
    regimen_line: str | None
    next_appointment: date | None
    dsd_model: str | None = Field(description="Model of differentiated service delivery.")
    antiretroviral: bool = Field(description="False for other drugs, such as isoniazid: they are no ARV supply.")


class AppointmentOut(Versions):
    """A booking, and what became of it."""

    patient_uuid: UUID
    booked_on: date | None
    due_date: date
    status: str


class ContactOut(BaseModel):
    """A patient's contact on one day, merged from the day's visits, dispensations and kept appointments."""

    model_config = ConfigDict(from_attributes=True)

    contact_id: UUID
    patient_uuid: UUID
    contact_date: date
    facility_uuid: UUID
    clinical: bool
    pickup: bool
    days_supplied: int | None
    next_appointment: date | None
    regimen: str | None
    regimen_line: str | None
    dsd_model: str | None
    known_from: datetime
    known_to: datetime | None
    known_assumed: bool


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
