"""Look for drift: read people's records, compare a day with the half-year before it, store the result, and signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from core.events import publish
from tenants.cohort.load import load_timelines
from tenants.cohort.repository import complete_days
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import NO_DAY, date_of
from tenants.risk import checks, repository
from tenants.risk.accuracy import DRIFT
from tenants.risk.drift.comparison import DriftComparison, compare_days
from tenants.risk.drift.samples import REFERENCE_LAGS, draw, rates_of, scored
from tenants.risk.explain import model_of
from tenants.risk.explanations.overview import overview
from tenants.risk.explanations.stability import stability
from tenants.risk.feature_store.distributions import distributions
from tenants.risk.models_checks import ModelCheck

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.database import SessionOpener, TenantRef, TenantSession
    from tenants.cohort.settings import CohortSettings
    from tenants.cohort.timelines import Timelines
    from tenants.risk.drift.samples import DaySample

MOST_PATIENTS: Final = 5_000
"""Patients of a tenant who are looked at, the same ones each time."""
NAMED: Final = 3
"""Columns that a signal names; the figures have all."""
_PEOPLE: Final = """
SELECT uuid FROM patients WHERE known_to IS NULL AND NOT voided
ORDER BY hashtextextended(uuid::text, 20), uuid LIMIT %s
"""


@dataclass(frozen=True, slots=True, eq=False)
class _Records:
    day: int
    rules: CohortSettings
    chunks: list[Timelines]
    current: set[UUID]
    names: dict[UUID, str]


def look(tenant: TenantRef, open_session: SessionOpener) -> DriftComparison | None:
    """Compare the people of the newest complete day with those of the half-year before it; None without records.

    It stores the comparison, the distributions of the features and what moves the risk, and publishes ``models.drift``
    about features, records, scores and facilities. The model is called while no transaction is open.

    Args:
        tenant: whose records.
        open_session: opens a transaction of the tenant.

    Raises:
        ModelFailed: no model is readable, and the naive rule failed too.
    """
    with open_session() as session:
        records = _read(session)
    if records is None:
        return None
    model = model_of(tenant, open_session)
    days = [records.day, *(records.day - lag for lag in REFERENCE_LAGS)]
    samples = draw(records.chunks, days, records.rules, rates_of(records.chunks, days, records.rules))
    current, *earlier = (scored(_of_current(samples[day], records.current), model) for day in days)
    comparison = compare_days(current, earlier)
    as_of = date_of(records.day)
    explained = overview(model, current.X) | {"stability": stability(model, current.X)}
    facilities = [records.names.get(uuid, str(uuid)) for uuid in current.facilities]
    figures = comparison.to_json() | {"earlier_days": [date_of(day).isoformat() for day in comparison.earlier_days]}
    for row in figures["facilities"]:
        row["facility"] = facilities[row["facility"]]
    signals = signals_of(comparison, facilities)
    with open_session() as session:
        passed = all(signal["ended"] for signal in signals)
        checks.store(session, _check(session, "drift", as_of, model.version, len(current), figures, passed=passed))
        described = {"columns": distributions(current.X)}
        checks.store(session, _check(session, "features", as_of, None, len(current), described, passed=True))
        checks.store(
            session, _check(session, "explanations", as_of, model.version, explained["people"], explained, passed=True)
        )
        for signal in signals if comparison.enough else ():
            publish(session, DRIFT, signal)
    return comparison


def signals_of(comparison: DriftComparison, facilities: Sequence[str]) -> list[dict[str, Any]]:
    """What is published about a comparison: one signal for each subject, begun or ended.

    Args:
        comparison: the comparison.
        facilities: DATIM ids, by index.
    """
    scores = [] if comparison.scores is None else [comparison.scores]
    places = sorted({facilities[change.facility] for change in comparison.facilities})
    named = {
        "features": [column.name for column in comparison.features],
        "records": [column.name for column in comparison.records],
        "scores": [column.name for column in scores],
        "facilities": places,
    }
    return [
        {
            "subject": subject,
            "value": len(names),
            "ended": not names,
            "facts": {"what": subject, "names": names[:NAMED]},
        }
        for subject, names in named.items()
    ]


def _read(session: TenantSession) -> _Records | None:
    complete = complete_days(session)
    known = complete[complete != NO_DAY]
    if not known.size:
        return None
    rules = cohort_settings(session)
    day = int(known.max())
    with session.cursor() as cursor:
        people = [row[0] for row in cursor.execute(_PEOPLE, (MOST_PATIENTS,)).fetchall()]
    facts = repository.facility_facts(session)
    return _Records(
        day=day,
        rules=rules,
        chunks=list(load_timelines(session, patient_uuids=people)) if people else [],
        current={
            fact["uuid"]
            for fact, ends in zip(facts, complete.tolist(), strict=True)
            if ends != NO_DAY and day - ends <= rules.completeness.stale_after_days
        },
        names={fact["uuid"]: fact["datim_id"] for fact in facts},
    )


def _of_current(sample: DaySample, current: set[UUID]) -> DaySample:
    """The people of facilities whose records reach the day: those of others look as if nobody came."""
    keeps = np.array([uuid in current for uuid in sample.facilities] or [False])
    return sample.where(keeps[sample.facility])


def _check(
    session: TenantSession,
    kind: str,
    as_of: date,
    model_version: str | None,
    patients: int,
    figures: dict[str, Any],
    *,
    passed: bool,
) -> ModelCheck:
    return ModelCheck(
        kind=kind,
        as_of=as_of,
        model_version=model_version,
        passed=passed,
        patients=patients,
        figures=figures,
        measured_by=session.actor,
    )
