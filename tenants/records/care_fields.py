"""The fields of facilities, patients and each kind of event: the one place where a column of care is declared.

These parts derive from the classes here:

- the tables: ``models``, ``models_people``, ``models_care``;
- the API's bodies and answers: ``schemas``, ``schemas_care``;
- the facts of imports, and the fields that a mapping may fill: ``imports.facts``, ``imports.fields``,
  ``imports.mapping``;
- the statements that write facilities, and the attributes of people: ``facilities``, ``people``;
- the staging table of events: ``imports.slots``;
- for what is dispensed, the contacts: ``contacts``.

docs/how-to/add-a-column.md has the steps.

``…Details`` are the fields that a person may leave out or change. ``…Fields`` adds the fields that every event
must have. The fields that name a facility or a patient are not here: the modules above declare them themselves.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from tenants.records.field_spec import declare, declaring

STATES = ("died", "transferred_out", "transferred_in", "stopped", "invalid")
STATUSES = ("scheduled", "kept", "missed", "cancelled")
VISIT_TYPES = ("clinical", "pharmacy", "laboratory")

_BOOKED_NEXT = "Day of the next appointment, as written at the contact."


@declaring
class FacilityDetails:
    """The fields of a facility, besides its DATIM id and its name."""

    state_province: Annotated[str | None, declare("text", "State.", example="Kano")] = None
    county_district: Annotated[str | None, declare("text", "Local government area.", example="Nassarawa")] = None


@declaring
class PatientDetails:
    """The fields of a patient, besides names, identifiers, sex and date of birth."""

    state_province: Annotated[str | None, declare("text", "State.", example="Kano")] = None
    county_district: Annotated[str | None, declare("text", "Local government area.", example="Nassarawa")] = None
    city_village: Annotated[str | None, declare("text", "City or village.", example="Kano")] = None
    art_start_date: Annotated[
        date | None, declare("date", "Start of antiretroviral treatment.", example="2021-09-03")
    ] = None
    transferred_in: Annotated[
        bool,
        declare(
            "boolean",
            "Whether the patient came from another facility, already on treatment.",
            server_default="false",
        ),
    ] = False
    case_manager: Annotated[
        str | None, declare("text", "Code or staff number of the case manager, rather than a name.", example="CM-07")
    ] = None


@declaring
class PatientStateFields:
    """The state of a patient: died, transferred, stopped treatment or invalid."""

    state: Annotated[str, declare("code", "What became of the patient.", required=True, codes=STATES, example="died")]
    start_date: Annotated[date | None, declare("date", "Day from which it holds; null: the day is not known.")] = None
    reason: Annotated[str | None, declare("text", "Why, in the source's words.")] = None


@declaring
class VisitDetails:
    """The optional fields of a visit."""

    date_stopped: Annotated[date | None, declare("date", "Day on which the visit ended.", example=None)] = None
    visit_type: Annotated[
        str | None,
        declare(
            "code",
            "`clinical`, `pharmacy`, `laboratory`, or the facility's word.",
            codes=VISIT_TYPES,
            example="clinical",
        ),
    ] = None
    next_appointment: Annotated[date | None, declare("date", _BOOKED_NEXT, example="2026-05-04")] = None


@declaring
class VisitFields(VisitDetails):
    """A visit."""

    date_started: Annotated[date, declare("date", "Day on which the visit began.", required=True, example="2026-02-03")]


@declaring
class EncounterDetails:
    """The optional fields of an encounter."""

    encounter_type: Annotated[
        str | None, declare("text", "Kind of encounter, in the facility's word.", required=True, example="pharmacy")
    ] = None
    form: Annotated[
        str | None, declare("text", "Name of the form that was filled in.", example="Pharmacy Order Form")
    ] = None


@declaring
class EncounterFields(EncounterDetails):
    """An encounter."""

    encounter_datetime: Annotated[
        datetime,
        declare("datetime", "When the encounter took place.", required=True),
    ]


@declaring
class ObservationDetails:
    """The optional fields of an observation. If all values are empty, a sample was taken and has no result."""

    concept_id: Annotated[
        int | None, declare("integer", "Number of the concept in the source's dictionary.", example=856)
    ] = None
    value_numeric: Annotated[float | None, declare("number", "The result as a number, in `unit`.", example=40)] = None
    value_text: Annotated[
        str | None,
        declare("text", "The result as text; `<` when it is below the limit in `value_numeric`.", example=None),
    ] = None
    value_coded: Annotated[str | None, declare("text", "The result as a code.", example=None)] = None
    value_datetime: Annotated[datetime | None, declare("datetime", "The result as a date and time.", example=None)] = (
        None
    )
    unit: Annotated[str | None, declare("text", "Unit of `value_numeric`.", example="copies/mL")] = None


@declaring
class ObservationFields(ObservationDetails):
    """An observation."""

    obs_datetime: Annotated[
        datetime,
        declare("datetime", "When the observation was made.", required=True),
    ]
    variable_name: Annotated[str, declare("text", "What was observed.", required=True, example="viral_load")]


@declaring
class PickupFields:
    """The fields that a contact copies from the largest dispensation of its day."""

    regimen: Annotated[str | None, declare("text", "Regimen, such as TDF/3TC/DTG.", example="TDF/3TC/DTG")] = None
    regimen_line: Annotated[str | None, declare("text", "Line of treatment.", example="first")] = None
    dsd_model: Annotated[str | None, declare("text", "Model of differentiated service delivery.", example="MMD")] = None


@declaring
class SupplyFields:
    """The fields that a dispensation and the contact of its day both have, with values of their own."""

    days_supplied: Annotated[int | None, declare("days", "Days of supply.", example=90)] = None
    next_appointment: Annotated[date | None, declare("date", _BOOKED_NEXT, example="2026-05-04")] = None


@declaring
class DispensationFields(PickupFields, SupplyFields):
    """Dispensed drugs."""

    date_dispensed: Annotated[date, declare("date", "Day on which the drugs were dispensed.", required=True)]
    antiretroviral: Annotated[
        bool,
        declare("boolean", "False for other drugs, such as isoniazid: they are no ARV supply.", server_default="true"),
    ] = True


@declaring
class AppointmentFields:
    """A booking."""

    booked_on: Annotated[date | None, declare("date", "Day on which the booking was written.", required=True)] = None
    due_date: Annotated[date, declare("date", "Day of the booking.", required=True, example="2026-05-04")]
    status: Annotated[str, declare("code", "What became of the booking.", codes=STATUSES, example="kept")] = "scheduled"
