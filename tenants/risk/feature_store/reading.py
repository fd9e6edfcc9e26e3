"""Values of features as known on a day: of one patient for a caller, of all patients for a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core import audit
from core.errors import NotFound
from tenants.cohort.load import load_timelines
from tenants.cohort.presenting import as_of_day
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import day_number, snapshot, to_date
from tenants.cohort.units import pending_units
from tenants.records.service import find_patient
from tenants.risk import repository
from tenants.risk.input_list import NAMES
from tenants.risk.input_sets import FEATURE_SET
from tenants.risk.pending import matrix
from tenants.risk.reference_rates import stored_rates

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession

READ = "risk:features:read"


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """The features of one pending expected contact of a patient.

    Attributes:
        expected_date: the expected contact.
        values: name -> value; None where it is not known.
    """

    expected_date: date
    values: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class PatientFeatures:
    """The features of a patient as known on a day.

    Attributes:
        patient_id: UUID.
        as_of: the day; what was recorded later is not in the values.
        feature_set, feature_set_version: the definitions.
        data_date, complete_through: how far the facility's records run today.
        rows: one for each pending expected contact, the nearest first; none for people who are not at risk.
    """

    patient_id: UUID
    as_of: date
    feature_set: str
    feature_set_version: int
    data_date: date | None
    complete_through: date | None
    rows: list[FeatureRow]


def read_patient(session: TenantSession, patient: UUID, as_of: date | None) -> PatientFeatures:
    """Read a patient's features as known on a day, today if None. The audit records the read.

    Raises:
        NotFound: there is no such patient on record.
    """
    uuid = find_patient(session, str(patient)).uuid
    day = as_of_day(session, as_of)
    timelines = next(iter(load_timelines(session, patient_uuids=[uuid])), None)
    if timelines is None:
        detail = "there is no such patient on record"
        raise NotFound(detail, remedy="check the UUID")
    audit.record(session, READ, "patient", uuid, {"as_of": day.isoformat()})
    rules, number = cohort_settings(session), day_number(day)
    pending = pending_units(timelines, number, rules, snapshot(timelines, [0], number))
    fact = repository.facility_facts(session, timelines.facilities[int(timelines.facility[0])])[0]
    rows: list[FeatureRow] = []
    if len(pending):
        values = matrix(timelines, pending, rules, stored_rates(session, day, rules))
        for place in np.argsort(pending.expected, kind="stable"):
            expected = to_date(int(pending.expected[place]))
            if expected is not None:
                rows.append(FeatureRow(expected, shown(values[place])))
    return PatientFeatures(
        patient_id=uuid,
        as_of=day,
        feature_set=FEATURE_SET.name,
        feature_set_version=FEATURE_SET.version,
        data_date=fact["data_date"],
        complete_through=fact["complete_through"],
        rows=rows,
    )


def shown(values: Any) -> dict[str, float | None]:  # noqa: ANN401 - a row of the matrix
    """The values by name, without earlier definitions."""
    row = values[: len(NAMES)]
    return {name: None if np.isnan(value) else float(value) for name, value in zip(NAMES, row, strict=True)}
