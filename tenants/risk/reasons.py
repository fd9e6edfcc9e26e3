"""Explain people who were scored without reasons: read them in transactions, and call the model with none open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from core.tenancy import settings as tenant_settings
from tenants.cohort.load import load_timelines
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import day_number
from tenants.cohort.units import pending_units
from tenants.risk.facility_rates import FacilityRates
from tenants.risk.pending import matrix, one_each
from tenants.risk.settings import RiskSettings
from tenants.risk.wording import raising

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from core.database import SessionOpener, TenantSession
    from tenants.cohort.settings import CohortSettings
    from tenants.cohort.timelines import Timelines
    from tenants.risk.serving import ServingModel

AT_ONCE: Final = 5000
"""Number of patients whose timelines are in memory at a time."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    chunks: list[Timelines]
    rules: CohortSettings
    most: int


def reasons_of(
    open_session: SessionOpener, patients: Sequence[UUID], as_of: date, model: ServingModel, rates: Mapping[str, Any]
) -> dict[UUID, list[dict[str, Any]]]:
    """Return the themes that raise these patients' risk, in words. The model is called while no transaction is open."""
    facility_rates = FacilityRates.from_json(rates)
    reasons: dict[UUID, list[dict[str, Any]]] = {}
    for start in range(0, len(patients), AT_ONCE):
        with open_session() as session:
            chunk = _read_chunk(session, patients[start : start + AT_ONCE])
        for timelines in chunk.chunks:
            reasons |= _reasons(chunk, timelines, as_of, model, facility_rates)
    return reasons


def _read_chunk(session: TenantSession, patients: Sequence[UUID]) -> _Chunk:
    most = tenant_settings.get(session, RiskSettings).reasons
    return _Chunk(list(load_timelines(session, patient_uuids=patients)), cohort_settings(session), most)


def _reasons(
    chunk: _Chunk, timelines: Timelines, as_of: date, model: ServingModel, rates: FacilityRates
) -> dict[UUID, list[dict[str, Any]]]:
    pending = pending_units(timelines, day_number(as_of), chunk.rules)
    if len(pending) == 0:
        return {}
    columns = matrix(timelines, pending, chunk.rules, rates)
    units = one_each(pending, model.raw_and_risk(columns)[1])
    themes = model.themes(columns[units])[1]
    return {
        timelines.patient_uuid[int(pending.patient[index])]: raising(columns[index], themes[place], chunk.most)
        for place, index in enumerate(units)
    }
