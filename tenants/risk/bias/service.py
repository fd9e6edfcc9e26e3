"""Look for bias among the predictions whose outcome is known, and store the figures by group."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from core.tenancy import settings as tenant_settings
from tenants.cohort.repository import complete_days
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import date_of, day_number
from tenants.risk import accuracy, checks
from tenants.risk.bias.groups import DivisionFigures, compare_groups, gate, top_share
from tenants.risk.dataset import AGE_BANDS, AGE_EDGES, DAYS_PER_YEAR
from tenants.risk.models_checks import ModelCheck
from tenants.risk.settings import RiskSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    import numpy.typing as npt

    from core.database import SessionOpener, TenantSession

DAYS: Final = 364
"""The newest decision with an outcome, and those of this many days before it, are looked at."""
NOT_RECORDED: Final = "not recorded"
SEXES: Final = {"F": "female", "M": "male"}
_PEOPLE: Final = """
SELECT p.uuid, p.sex, p.birthdate, f.datim_id, f.state_province
FROM patients AS p JOIN facilities AS f ON f.uuid = p.facility_uuid
WHERE p.uuid = ANY(%s) AND p.known_to IS NULL AND NOT p.voided
"""


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedDecisions:
    """Decisions with a known outcome, one row each.

    Attributes:
        patients: UUIDs.
        day: day numbers.
        risk: predicted probabilities.
        interrupted: outcomes.
        listed: whether a list had them, or would have had them by the tenant's capacity.
        by_capacity: whether ``listed`` follows from the capacity, because no list was issued.
        labels: division -> label of each row.
    """

    patients: Sequence[UUID]
    day: npt.NDArray[np.int32]
    risk: npt.NDArray[np.float64]
    interrupted: npt.NDArray[np.bool_]
    listed: npt.NDArray[np.bool_]
    by_capacity: bool
    labels: Mapping[str, npt.NDArray[np.str_]]


def look(open_session: SessionOpener, extra: Mapping[UUID, str] | None = None) -> list[DivisionFigures]:
    """Compare the groups, and store the figures; return no division while no outcome is known.

    Args:
        open_session: opens a transaction of the tenant.
        extra: a further division for an audit, by patient. Its figures are returned and never stored.
    """
    with open_session() as session:
        resolved = read_resolved(session)
    if resolved is None:
        return []
    divisions = _compare(resolved, resolved.labels)
    as_of = date_of(int(resolved.day.max()))
    with open_session() as session:
        checks.store(session, _check(session, as_of, resolved, divisions))
    if extra is None:
        return divisions
    named = np.array([extra.get(uuid, NOT_RECORDED) for uuid in resolved.patients])
    return [*divisions, *_compare(resolved, {"audit": named})]


def read_resolved(session: TenantSession) -> ResolvedDecisions | None:
    """Read the decisions of about the last year whose outcome is known; None where there are none of both kinds."""
    rules, complete = cohort_settings(session), complete_days(session)
    decisions = accuracy.read_decisions(session, rules, complete)
    outcomes = accuracy.judged(session, rules, complete, decisions.uuid, decisions.day, decisions.expected)
    rows = outcomes.row[outcomes.label >= 0]
    interrupted = outcomes.label[outcomes.label >= 0] == 1
    if rows.size:
        newest = int(decisions.day[rows].max())
        recent = decisions.day[rows] >= newest - DAYS
        rows, interrupted = rows[recent], interrupted[recent]
    people = _people(session, [decisions.uuid[row] for row in rows])
    known = np.array([decisions.uuid[row] in people for row in rows], dtype=np.bool_)
    rows, interrupted = rows[known], interrupted[known]
    if not 0 < int(interrupted.sum()) < interrupted.size:
        return None
    patients = [decisions.uuid[row] for row in rows]
    day, risk, listed = decisions.day[rows], decisions.risk[rows], decisions.listed[rows]
    facility = np.array([people[uuid][2] for uuid in patients])
    by_capacity = not listed.any()
    if by_capacity:
        listed = top_share(risk, facility, tenant_settings.get(session, RiskSettings).capacity_share)
    labels = {
        "sex": np.array([SEXES.get(people[uuid][0], NOT_RECORDED) for uuid in patients]),
        "age_band": np.array([_age_band(people[u][1], int(d)) for u, d in zip(patients, day, strict=True)]),
        "facility": facility,
        "state": np.array([people[uuid][3] for uuid in patients]),
    }
    return ResolvedDecisions(patients, day, risk, interrupted, listed, by_capacity, labels)


def _compare(resolved: ResolvedDecisions, labels: Mapping[str, npt.NDArray[np.str_]]) -> list[DivisionFigures]:
    numbers = {uuid: number for number, uuid in enumerate(dict.fromkeys(resolved.patients))}
    patient = np.array([numbers[uuid] for uuid in resolved.patients])
    return compare_groups(resolved.risk, resolved.interrupted, patient, resolved.listed, labels)


def _people(session: TenantSession, uuids: Sequence[UUID]) -> dict[UUID, tuple[str, date | None, str, str]]:
    """Sex, date of birth, DATIM id and state of each person."""
    with session.cursor() as cursor:
        rows = cursor.execute(_PEOPLE, (list(set(uuids)),)).fetchall()
    return {uuid: (sex or "", birth, datim_id, state or NOT_RECORDED) for uuid, sex, birth, datim_id, state in rows}


def _age_band(birth: date | None, day: int) -> str:
    if birth is None:
        return AGE_BANDS[-1]
    age = (day - day_number(birth)) / DAYS_PER_YEAR
    return AGE_BANDS[int(np.searchsorted(AGE_EDGES, age, side="right"))]


def _check(
    session: TenantSession, as_of: date, resolved: ResolvedDecisions, divisions: Sequence[DivisionFigures]
) -> ModelCheck:
    verdict = gate(divisions)
    figures: dict[str, Any] = {
        "from": (as_of - timedelta(days=DAYS)).isoformat(),
        "decisions": len(resolved.patients),
        "interrupted": int(resolved.interrupted.sum()),
        "listed_by": "capacity" if resolved.by_capacity else "lists",
        "divisions": [division.to_json() for division in divisions],
        "gate": verdict,
    }
    return ModelCheck(
        kind="bias",
        as_of=as_of,
        passed=verdict["passed"],
        patients=len(set(resolved.patients)),
        figures=figures,
        measured_by=session.actor,
    )
