"""People with a pending expected contact: their features on a day, and one expected contact per person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tenants.cohort.expected import episodes
from tenants.risk.model_inputs import compute, pending_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from tenants.cohort.settings import CohortSettings
    from tenants.cohort.timelines import Timelines
    from tenants.cohort.units import Units
    from tenants.risk.facility_rates import FacilityRates

    Floats = npt.NDArray[np.float64]


def matrix(
    timelines: Timelines,
    pending: Units,
    rules: CohortSettings,
    rates: FacilityRates,
    snapshots: Timelines | None = None,
) -> Floats:
    """Return the features of these units, from what was known on their day.

    Args:
        timelines: all versions.
        pending: the units.
        rules: the tenant's cohort settings.
        rates: facility rates of earlier days.
        snapshots: ``pending.snapshot(timelines)``, if the caller has it.
    """
    snapshots = pending.snapshot(timelines) if snapshots is None else snapshots
    return compute(snapshots, episodes(snapshots, rules), pending_of(pending), rules, rates)


def one_each(pending: Units, risk: Floats) -> list[int]:
    """Return one expected contact per patient: the nearest.

    If several are on that day, the likeliest to be missed counts.
    """
    order = np.lexsort((pending.origin, -risk, pending.expected, pending.patient))
    first = np.unique(pending.patient[order], return_index=True)[1]
    return [int(index) for index in order[first]]
