"""The LAMIS+ client verification list (xlsx, csv): one row per tracked person, with the outcome.

Its facts are those of a tracking form: an encounter with observations, which later features read; and the state of
people who died, were transferred or stopped.
"""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING, Any, ClassVar

from core.errors import phrase
from tenants.imports.facts import EncounterFact, FacilityFact, ObservationFact, PatientFact, PatientStateFact, Reading
from tenants.imports.formats.lamisplus_pharmacy import SOURCE
from tenants.imports.formats.listing import ListReader, Row, place
from tenants.imports.formats.tables import Layout
from tenants.imports.reading.plans import SEPARATOR

if TYPE_CHECKING:
    from datetime import date

    from tenants.imports.mapping import Mapping

LAYOUT = Layout(
    title="LAMIS+ client verification list",
    columns={
        "State": "state",
        "Facility Name": "facility_name",
        "DATIM Id": "datim_id",
        "Patient Id": "patient_id",
        "Hospital Number": "hospital_number",
        "Date of Observation": "observed",
        "Indication For Client Verification": "indication",
        "Date Of Attempt": "attempted",
        "No of Verification Attempts": "attempts",
        "Verification Attempts": "means",
        "Outcome": "outcome",
        "Date Returned To Care": "returned",
        "Referred To": "referred",
        "Discontinued": "discontinued",
        "Date of Discontinuation": "discontinued_on",
        "Reason For Discontinuation": "reason",
    },
    needed=("patient_id", "indication", "attempted", "outcome"),
    dates=("observed", "attempted", "returned", "discontinued_on"),
    also={"noofverficationattempts": "attempts", "facility": "facility_name", "datimcode": "datim_id"},
)
FORM = "Client Verification"
ENCOUNTER = "tracking"
_LABELS = {
    "patient": "Patient Id",
    "encounter_datetime": "Date Of Attempt",
    "obs_datetime": "Date Of Attempt",
    "start_date": "Date of Discontinuation",
    "value_numeric": "No of Verification Attempts",
}
_YES = frozenset({"yes", "true", "y", "1", "discontinued"})
_STATES = (
    ("died", ("died", "death", "dead", "deceased")),
    ("transferred_out", ("transferred out", "transfer out", "transferred to another", "self transfer")),
    ("stopped", ("stopped", "discontinued care", "refused", "opted out", "discontinued treatment")),
)
"""Words in an outcome or a reason -> the state that they mean."""


class VerificationList(ListReader):
    """Reads client verification lists. They have no DATIM id: facilities come from the people or from the mapping."""

    name: ClassVar[str] = "lamisplus-verification"
    description: ClassVar[str] = phrase(
        "LAMIS+ client verification list (xlsx, csv): what came of tracking, one row per person"
    )
    source: ClassVar[str] = SOURCE
    layout: ClassVar[Layout] = LAYOUT
    dated_by: ClassVar[tuple[str, ...]] = ("observed", "attempted", "returned", "discontinued_on")

    def facts(self, row: Row, reading: Reading, mapping: Mapping) -> None:
        """Add the tracking form of the person. Any wrong cell rejects the row."""
        patient, (datim_id, place_name) = row.needed("patient_id"), place(row, mapping)
        hospital_number = row.text("hospital_number")
        tracked_on = row.day("attempted") or row.day("observed")
        if tracked_on is None:
            row.reject("attempted", "the value is missing", "fill in the day of the attempt, or of the observation")
        observations: dict[str, dict[str, object]] = {
            "tracking_outcome": {"value_text": row.text("outcome")},
            "tracking_indication": {"value_text": row.text("indication")},
            "tracking_attempts": {"value_numeric": row.number("attempts")},
            "tracking_means": {"value_text": row.text("means")},
            "tracking_referred_to": {"value_text": row.text("referred")},
            "returned_to_care": {"value_datetime": _moment(row.day("returned"))},
        }
        state, day = _state(row), row.day("discontinued_on")
        if row.word("discontinued") in _YES:
            observations["care_discontinued"] = {"value_coded": "yes", "value_text": row.text("reason")}
        if row.problems or patient is None or tracked_on is None:
            return
        about: dict[str, Any] = {"patient": patient, "facility": datim_id, "labels": _LABELS}
        if datim_id is not None:
            reading.facts += [
                FacilityFact(key=datim_id, name=place_name),
                PatientFact(
                    key=patient,
                    pepfar_id=patient,
                    hospital_number=hospital_number,
                    derived_on=tracked_on,
                    partial=True,
                    fallback=("pepfar_id",),
                    **about,
                ),
            ]
        key = SEPARATOR.join((patient, "verification", tracked_on.isoformat()))
        reading.facts.append(
            EncounterFact(
                key=key,
                encounter_datetime=datetime.combine(tracked_on, time(0)),
                encounter_type=ENCOUNTER,
                form=FORM,
                **about,
            )
        )
        reading.facts += [
            ObservationFact(
                key=SEPARATOR.join((key, variable)),
                obs_datetime=datetime.combine(tracked_on, time(0)),
                variable_name=variable,
                **about,
                **values,  # type: ignore[arg-type]
            )
            for variable, values in observations.items()
            if any(value is not None for value in values.values())
        ]
        if state is not None:
            reading.facts.append(
                PatientStateFact(
                    key=SEPARATOR.join((patient, "verification", state)),
                    state=state,
                    start_date=day or tracked_on,
                    reason=row.text("reason"),
                    **about,
                )
            )


def _moment(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(0))


def _state(row: Row) -> str | None:
    """Died, transferred out or stopped, by outcome or reason; discontinued without a reason means stopped."""
    words = f"{row.word('outcome')} {row.word('reason')}"
    for state, signs in _STATES:
        if any(sign in words for sign in signs):
            return state
    return "stopped" if row.word("discontinued") in _YES and not row.has("returned") else None
