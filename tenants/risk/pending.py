"""People with an expected contact ahead: their features on a day, and one expected contact for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tenants.cohort.expected import episodes
from tenants.risk.features import compute, pending_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from tenants.cohort.settings import CohortSettings
    from tenants.cohort.timelines import Timelines
    from tenants.cohort.units import Units
    from tenants.risk.facility_rates import FacilityRates

    Floats = npt.NDArray[np.float64]


def matrix(
    timelines: Timelines, pending: Units, rules: CohortSettings, rates: FacilityRates, seen: Timelines | None = None
) -> Floats:
    """Features of these units, from what was known on their day.

    Args:
        timelines: all versions.
        pending: the units.
        rules: the tenant's cohort settings.
        rates: facility rates of earlier days.
        seen: what ``pending.snapshot(timelines)`` gives, where it is there.
    """
    seen = pending.snapshot(timelines) if seen is None else seen
    return compute(seen, episodes(seen, rules), pending_of(pending), rules, rates)


def one_each(pending: Units, risk: Floats) -> list[int]:
    """One expected contact per patient: the nearest; of several on that day the likeliest to be missed."""
    order = np.lexsort((pending.origin, -risk, pending.expected, pending.patient))
    first = np.unique(pending.patient[order], return_index=True)[1]
    return [int(index) for index in order[first]]
