"""Parity: the values that one patient's page computes are those that the scoring of everybody computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from core.database import RoundTripError, at_once
from core.events import publish
from tenants.cohort import load_one
from tenants.cohort.load import load_timelines
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import day_number, snapshot
from tenants.cohort.units import pending_units
from tenants.risk import checks
from tenants.risk.accuracy import DRIFT
from tenants.risk.input_sets import columns
from tenants.risk.models_checks import ModelCheck
from tenants.risk.pending import matrix
from tenants.risk.reference_rates import stored_rates

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from core.database import SessionOpener, TenantRef, TenantSession
    from tenants.cohort.settings import CohortSettings
    from tenants.cohort.timelines import Timelines
    from tenants.risk.facility_rates import FacilityRates

PATIENTS: Final = 25
"""Patients of the newest scoring who are compared, others each day."""
_DRAWN: Final = """
SELECT p.patient_uuid, p.facility_uuid, p.as_of FROM predictions AS p
JOIN score_runs AS r ON r.as_of = p.as_of
WHERE p.kind = 'at_risk' AND p.as_of = (SELECT max(as_of) FROM score_runs WHERE state = 'done')
    AND NOT EXISTS (
        SELECT FROM patient_identities AS i WHERE p.patient_uuid IN (i.patient_uuid, i.canonical_uuid)
    )
ORDER BY hashtextextended(p.patient_uuid::text, EXTRACT(DAY FROM p.as_of)::bigint), p.patient_uuid LIMIT %s
"""


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """The patients, and how the scoring of everybody reads them."""

    as_of: date
    facility: dict[UUID, UUID]
    rules: CohortSettings
    rates: FacilityRates
    chunks: list[Timelines]


def look(tenant: TenantRef, open_session: SessionOpener) -> ModelCheck | None:
    """Compare both ways on some patients of the newest scoring, store and publish the result; None without a scoring.

    It publishes ``models.drift`` about ``parity``, begun if any value differs.
    """
    with open_session() as session:
        batch = _read(session)
    if batch is None:
        return None
    different: dict[str, int] = {}
    compared = 0
    for timelines in batch.chunks:
        for place, patient in enumerate(timelines.patient_uuid.tolist()):
            online = _online(tenant, patient, batch.facility[patient])
            if online is None:
                continue
            compared += 1
            for name in _differences(_values(timelines, place, batch), _values(online, 0, batch)):
                different[name] = different.get(name, 0) + 1
    figures: dict[str, Any] = {"columns": len(columns()), "different": different}
    with open_session() as session:
        check = ModelCheck(
            kind="parity",
            as_of=batch.as_of,
            passed=not different,
            patients=compared,
            figures=figures,
            measured_by=session.actor,
        )
        checks.store(session, check)
        names = sorted(different)
        facts = {"what": "parity", "names": names[:3]}
        publish(session, DRIFT, {"subject": "parity", "value": len(names), "ended": not names, "facts": facts})
        session.refresh(check)
        session.expunge(check)
        return check


def _read(session: TenantSession) -> _Batch | None:
    with session.cursor() as cursor:
        rows = cursor.execute(_DRAWN, (PATIENTS,)).fetchall()
    if not rows:
        return None
    as_of, rules = rows[0][2], cohort_settings(session)
    patients = [row[0] for row in rows]
    return _Batch(
        as_of=as_of,
        facility={row[0]: row[1] for row in rows},
        rules=rules,
        rates=stored_rates(session, as_of, rules),
        chunks=list(load_timelines(session, patient_uuids=patients)),
    )


def _online(tenant: TenantRef, patient: UUID, facility: UUID) -> Timelines | None:
    """The patient's timelines as the page of one patient reads them; None if that way does not serve the patient."""
    try:
        facts, texts = at_once(tenant, *load_one.statements(patient))
    except RoundTripError:
        return None
    return load_one.timelines(patient, facility, tenant.time_zone, facts[0], texts)


def _values(timelines: Timelines, place: int, batch: _Batch) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The features of the patient at a place, all columns of all expected contacts."""
    day = day_number(batch.as_of)
    if len(timelines) == 1:
        pending = pending_units(timelines, day, batch.rules, snapshot(timelines, [0], day))
    else:
        pending = pending_units(timelines, day, batch.rules)
    pending = pending.where(pending.patient == place)
    return matrix(timelines, pending, batch.rules, batch.rates)


def _differences(first: Any, second: Any) -> list[str]:  # noqa: ANN401 - matrices
    """Names of the columns that are not exactly equal; ``rows`` if there are more rows in one."""
    if first.shape != second.shape:
        return ["rows"]
    equal = ((first == second) | (np.isnan(first) & np.isnan(second))).all(axis=0)
    return [spec.name for spec, same in zip(columns(), equal, strict=True) if not same]
