"""Facility rates of a date's reference day: taken once, then read from a scoring that took them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tenants.cohort.load import load_expectations
from tenants.cohort.timelines import day_number
from tenants.risk import repository
from tenants.risk.facility_rates import STEP, FacilityCounts, FacilityRates, reference_day
from tenants.risk.prefetch import ahead

if TYPE_CHECKING:
    from datetime import date

    from core.database import TenantSession
    from tenants.cohort.settings import CohortSettings


def take_rates(session: TenantSession, as_of: date, rules: CohortSettings) -> FacilityRates:
    """Facility rates of the reference day of a date, from one pass over all patients."""
    day = day_number(as_of)
    counts = FacilityCounts(day, day, rules)
    for timelines in ahead(load_expectations(session, counts.since)):
        counts.add(timelines)
    return counts.rates()


def stored_rates(session: TenantSession, as_of: date, rules: CohortSettings) -> FacilityRates:
    """The rates that a scoring of the same reference day has taken; taken anew where there was none."""
    run = repository.run_of(session, as_of)
    found = run.rates if run is not None else repository.rates_of_reference(session, *reference_days(as_of))
    return FacilityRates.from_json(found) if found else take_rates(session, as_of, rules)


def rates_of_inputs(session: TenantSession, as_of: date, rules: CohortSettings, inputs: str) -> FacilityRates:
    """The rates of these very inputs: as an earlier scoring took them, else taken anew."""
    found = repository.rates_of_inputs(session, *reference_days(as_of), inputs)
    return FacilityRates.from_json(found) if found else take_rates(session, as_of, rules)


def reference_days(as_of: date) -> tuple[date, date]:
    """The days whose rates are those of a date's reference day."""
    first = int(reference_day(day_number(as_of))) - day_number(as_of)
    return as_of + timedelta(days=first), as_of + timedelta(days=first + STEP - 1)
