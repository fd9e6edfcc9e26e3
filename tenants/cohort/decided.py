"""What became of earlier decisions, such as stored predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tenants.cohort.expected import episodes
from tenants.cohort.timelines import DayArray, IntArray, Timelines, current, row_key, snapshot
from tenants.cohort.units import UNRESOLVED, Units, labelled, open_episodes, without_measurements

if TYPE_CHECKING:
    from tenants.cohort.expected import Episodes
    from tenants.cohort.settings import CohortSettings


def decided_units(
    timelines: Timelines,
    rules: CohortSettings,
    complete: DayArray,
    patient: IntArray,
    day: DayArray,
    expected: DayArray,
) -> tuple[IntArray, Units]:
    """Return the decisions whose outcome is known, as units of :func:`tenants.cohort.units.pending_units`.

    A decision is left out while its outcome is open, as in :func:`tenants.cohort.units.units`, and if its contact or
    booking was corrected since, or the records known on its day give another expected day now.

    Args:
        timelines: all versions.
        rules: the tenant's rules.
        complete: complete-through day of each facility, NO_DAY where unknown.
        patient: (m,) index into the timelines, of each decision.
        day: (m,) day of the decision, which used what was known at its end.
        expected: (m,) the day on which the contact was expected.

    Returns:
        (k,) indices of the decisions, and their units.
    """
    day_snapshot = snapshot(without_measurements(timelines), patient, day)
    then = episodes(day_snapshot, rules)
    chosen = open_episodes(day_snapshot, then, rules)
    decision = then.owner[chosen]
    fits = then.expected[chosen] == expected[decision]
    decision, first = np.unique(decision[fits], return_index=True)
    chosen = chosen[fits][first]
    hindsight = current(timelines)
    if rules.expected_from == "bookings":
        wanted = day_snapshot.bookings.entity[then.row[chosen]]
    else:
        wanted = then.origin[chosen]
    episode = _now(hindsight, rules, patient[decision], wanted)
    decision, chosen, episode = decision[episode >= 0], chosen[episode >= 0], episode[episode >= 0]
    blank = np.full(decision.size, -1, dtype=np.int8)
    decisions = Units(
        patient=patient[decision],
        episode=episode,
        origin=then.origin[chosen],
        expected=then.expected[chosen],
        day=day[decision],
        known_day=day[decision],
        deadline=(then.expected[chosen] + rules.grace_days + rules.reporting_lag_days).astype(np.int32),
        label=blank,
        outcome=blank,
    )
    ends = np.asarray(complete, dtype=np.int64)[timelines.facility[decisions.patient]] if len(decisions) else blank
    judged = labelled(hindsight, rules, decisions, ends.astype(np.int64), resolved_only=False)
    known = judged.outcome != UNRESOLVED
    return decision[known], judged.where(known)


def _now(hindsight: Timelines, rules: CohortSettings, patient: IntArray, wanted: IntArray) -> IntArray:
    """Return the episode, as known now, of each patient's contact (by its day) or booking (by its number); else -1."""
    present: Episodes = episodes(hindsight, rules)
    own = hindsight.bookings.entity[present.row] if rules.expected_from == "bookings" else present.origin
    keys = row_key(present.owner, own)
    if not keys.size:
        return np.full(patient.size, -1, dtype=np.int64)
    order = np.argsort(keys, kind="stable")
    sought = row_key(patient, wanted)
    place = np.minimum(np.searchsorted(keys[order], sought), keys.size - 1)
    nearest = order[place]
    return np.where(keys[nearest] == sought, nearest, -1)
