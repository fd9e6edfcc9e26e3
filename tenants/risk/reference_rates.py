"""Facility rates of a date's reference day: counted once, then read from the scoring that counted them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tenants.cohort.load import load_expectations
from tenants.cohort.timelines import day_number
from tenants.risk import repository
from tenants.risk.facility_rates import STEP, FacilityCounts, FacilityRates, reference_day
from tenants.risk.prefetch import prefetch

if TYPE_CHECKING:
    from datetime import date

    from core.database import TenantSession
    from tenants.cohort.settings import CohortSettings


def count_rates(session: TenantSession, as_of: date, rules: CohortSettings) -> FacilityRates:
    """Count the facility rates of the reference day of a date, in one pass over all patients."""
    day = day_number(as_of)
    counts = FacilityCounts(day, day, rules)
    for timelines in prefetch(load_expectations(session, counts.since)):
        counts.add(timelines)
    return counts.rates()


def stored_rates(session: TenantSession, as_of: date, rules: CohortSettings) -> FacilityRates:
    """Return the rates from a scoring with the same reference day; count them where there is none."""
    run = repository.run_of(session, as_of)
    rates = run.rates if run is not None else repository.rates_of_reference(session, *reference_days(as_of))
    return FacilityRates.from_json(rates) if rates else count_rates(session, as_of, rules)


def rates_of_inputs(session: TenantSession, as_of: date, rules: CohortSettings, inputs: str) -> FacilityRates:
    """Return the rates of these exact inputs: from an earlier scoring, otherwise by counting."""
    rates = repository.rates_of_inputs(session, *reference_days(as_of), inputs)
    return FacilityRates.from_json(rates) if rates else count_rates(session, as_of, rules)


def reference_days(as_of: date) -> tuple[date, date]:
    """The first and the last day with the same reference day as a date."""
    first = int(reference_day(day_number(as_of))) - day_number(as_of)
    return as_of + timedelta(days=first), as_of + timedelta(days=first + STEP - 1)
