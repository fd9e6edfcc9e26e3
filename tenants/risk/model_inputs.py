"""The one definition of the features: a matrix of numbers from what was known on a day.

Training calls :func:`compute` on snapshots of many decision days, serving on the snapshot of one day or of one patient.
Each row depends only on its own pseudo-patient and the facility rates, so chunks and single patients give the same
numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tenants.cohort.expected import latest_art_start, latest_profile
from tenants.cohort.timelines import NO_DAY, PICKUP, VARIABLE_CODES, Timelines
from tenants.risk import earlier_inputs
from tenants.risk.history import (
    Attendance,
    PastExpectations,
    PendingExpectations,
    attendance,
    count_between,
    last_columns,
    last_where,
    past,
    row_sum,
)
from tenants.risk.input_list import FEATURES, LATE_DAYS, LATENESS_CLIP, NAMES, THEME_OF, THEMES, WINDOWS

if TYPE_CHECKING:
    import numpy.typing as npt

    from tenants.cohort.expected import Episodes
    from tenants.cohort.settings import CohortSettings
    from tenants.cohort.units import Units
    from tenants.risk.facility_rates import FacilityRates

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Columns = dict[str, Floats]

__all__ = ["FEATURES", "NAMES", "THEMES", "THEME_OF", "PendingExpectations", "compute", "pending_of"]

DECAY: Final = 0.7
LONGEST: Final = 730.0
DAYS_PER_YEAR: Final = 365.25
PREGNANCY_DAYS: Final = 300
USUAL: Final = 5


def pending_of(units: Units) -> PendingExpectations:
    """The pending expected contact of each unit, as known on its decision day."""
    return PendingExpectations(
        units.known_day.astype(np.int64), units.origin.astype(np.int64), units.expected.astype(np.int64)
    )


def compute(
    snapshots: Timelines,
    expected_contacts: Episodes,
    pending: PendingExpectations,
    rules: CohortSettings,
    rates: FacilityRates,
) -> Floats:
    """Return the matrix of features, float64 (m, p), NaN where a value is unknown.

    Its columns are those of ``input_sets.columns()``: ``FEATURES``, then the earlier definitions.

    Args:
        snapshots: one pseudo-patient per row, from ``snapshot(timelines, patient, pending.day)``.
        expected_contacts: ``episodes(snapshots, rules)``.
        pending: the expected contact of each row.
        rules: the tenant's cohort settings.
        rates: facility rates of earlier days.
    """
    if len(snapshots) == 0:
        return np.zeros((0, len(FEATURES) + len(earlier_inputs.EARLIER)))
    before = past(snapshots, expected_contacts, pending, rules)
    visits = attendance(snapshots, rules)
    columns: Columns = {}
    columns |= _lateness(before)
    columns |= _interruptions(before, pending, rules.grace_days)
    columns |= _timing(before, pending)
    columns |= _intervals(visits, pending, rules.grace_days)
    columns |= _attendance(visits, before, pending)
    columns |= _treatment(snapshots, visits, pending)
    columns |= _supply(snapshots, pending)
    columns |= _samples(snapshots, pending, "viral_load")
    columns |= _samples(snapshots, pending, "cd4")
    columns |= _clinical(snapshots, pending)
    columns |= _person(snapshots, pending)
    columns["facility_rate"] = rates.at(pending.day, snapshots.facility, snapshots.facilities)
    columns |= _calendar(pending)
    columns["not_recorded"] = _not_recorded(columns)
    earlier = [
        feature.compute(snapshots, expected_contacts, pending, rules, rates) for feature in earlier_inputs.EARLIER
    ]
    ordered = [*(columns[name] for name in NAMES), *earlier]
    return np.column_stack([np.asarray(column, dtype=np.float64) for column in ordered])


def _ratio(top: Floats, bottom: Floats) -> Floats:
    out = np.full(np.shape(top), np.nan)
    np.divide(top, bottom, out=out, where=np.asarray(bottom) > 0)
    return out


def _row_median(values: Floats) -> Floats:
    """The median of the recorded values in each row; missing where there are none.

    numpy's own median is slow on single rows.
    """
    sorted_values = np.sort(values, axis=1)  # what is missing comes last
    count = (~np.isnan(values)).sum(axis=1)
    rows = np.arange(count.size)
    low, high = (
        sorted_values[rows, np.maximum(count - 1, 0) // 2],
        sorted_values[rows, np.minimum(count // 2, values.shape[1] - 1)],
    )
    return np.where(count > 0, (low + high) / 2, np.nan)


def _weighted(recent: Floats) -> Floats:
    """The weighted mean over the last ten values. Each value has DECAY times the weight of the next newer one."""
    weight = np.where(np.isnan(recent), 0.0, DECAY ** np.arange(recent.shape[1]))
    return _ratio((np.nan_to_num(recent) * weight).sum(axis=1), weight.sum(axis=1))


def _lateness(before: PastExpectations) -> Columns:
    late = np.clip(before.recent, 0, LATENESS_CLIP)
    is_recorded = ~np.isnan(late)
    zeroed = np.nan_to_num(late)
    out = {"days_late_last": late[:, 0], "days_early_last": np.clip(-before.recent[:, 0], 0, LATENESS_CLIP)}
    for n in WINDOWS:
        count = is_recorded[:, :n].sum(axis=1).astype(np.float64)
        out[f"days_late_mean_{n}"] = _ratio(zeroed[:, :n].sum(axis=1), count)
        out[f"days_late_max_{n}"] = np.where(count > 0, zeroed[:, :n].max(axis=1), np.nan)
        for days in LATE_DAYS:
            out[f"late_{days}_last_{n}"] = np.where(count > 0, (zeroed[:, :n] > days).sum(axis=1), np.nan)
    flagged = np.where(is_recorded, (zeroed > 0).astype(np.float64), np.nan)
    out["days_late_weighted"] = _weighted(late)
    out["late_weighted"] = _weighted(flagged)
    out["late_share"] = (row_sum((before.late > 0).astype(np.float64), before.offsets) + 1.0) / (before.count + 2.0)
    out["days_late_trend"] = out["days_late_mean_3"] - out["days_late_mean_10"]
    return out


def _interruptions(before: PastExpectations, pending: PendingExpectations, grace: int) -> Columns:
    was_interrupted = before.late > grace
    count = row_sum(was_interrupted.astype(np.float64), before.offsets)
    latest = last_where(was_interrupted, before.offsets)
    since = np.full(latest.size, np.nan)
    visits_since = np.full(latest.size, np.nan)
    some = latest >= 0
    since[some] = pending.day[some] - before.answer_day[latest[some]]
    visits_since[some] = before.offsets[1:][some] - 1 - latest[some]
    longest = np.full(latest.size, np.nan)
    has = before.count > 0
    if before.late.size:
        longest[has] = np.maximum.reduceat(np.clip(before.late, 0, LONGEST), before.offsets[:-1][has])
    flagged = np.where(np.isnan(before.recent), np.nan, (before.recent > grace).astype(np.float64))
    return {
        "interruptions": count,
        "interruption_share": _ratio(count, before.count.astype(np.float64)),
        "interruption_weighted": _weighted(flagged),
        "days_since_interruption": since,
        "contacts_since_interruption": visits_since,
        "longest_lateness": longest,
    }


def _timing(before: PastExpectations, pending: PendingExpectations) -> Columns:
    return {
        "days_to_expected": (pending.expected - pending.day).astype(np.float64),
        "days_since_set": (pending.day - pending.origin).astype(np.float64),
        "lead_days": (pending.expected - pending.origin).astype(np.float64),
        "other_pending": before.other_pending.astype(np.float64),
        "same_day_bookings": before.same_day.astype(np.float64),
        "expected_source": before.source.astype(np.float64),
    }


def _intervals(visits: Attendance, pending: PendingExpectations, grace: int) -> Columns:
    ten = np.clip(visits.recent, 0, LONGEST)
    five = ten[:, :USUAL]
    is_recorded = ~np.isnan(five)
    some = is_recorded.any(axis=1)
    count = is_recorded.sum(axis=1)
    middle = _row_median(five)
    deviation = _ratio(np.where(is_recorded, np.abs(five - middle[:, None]), 0.0).sum(axis=1), count.astype(np.float64))
    lead = (pending.expected - pending.origin).astype(np.float64)
    days_since_origin = (pending.day - pending.origin).astype(np.float64)
    possible = ~np.isnan(ten) & (ten >= days_since_origin[:, None])
    longer = possible & (ten > (lead + grace)[:, None])
    return {
        "interval_last": ten[:, 0],
        "interval_median": middle,
        "interval_spread": np.where(count > 1, deviation, np.nan),
        "interval_max": np.where(some, np.where(is_recorded, five, -1).max(axis=1), np.nan),
        "interval_min": np.where(some, np.where(is_recorded, five, np.inf).min(axis=1), np.nan),
        "interval_irregularity": np.where(count > 1, _ratio(deviation, middle), np.nan),
        "lead_to_usual": _ratio(lead, middle),
        "interval_last_to_usual": _ratio(ten[:, 0], middle),
        "intervals_past_grace": (longer.sum(axis=1) + 2 * 0.2) / (possible.sum(axis=1) + 2.0),
    }


def _attendance(visits: Attendance, before: PastExpectations, pending: PendingExpectations) -> Columns:
    day = pending.day
    number = np.diff(visits.offsets)
    some = number > 0
    first, last = np.full(day.size, np.nan), np.full(day.size, np.nan)
    first[some] = day[some] - visits.day[visits.offsets[:-1][some]]
    last[some] = day[some] - visits.day[visits.offsets[1:][some] - 1]
    recent, older = count_between(visits, day - 180, day), count_between(visits, day - 360, day - 180)
    return {
        "contacts": number.astype(np.float64),
        "contacts_90": count_between(visits, day - 90, day),
        "contacts_365": count_between(visits, day - 365, day),
        "contact_rate_trend": np.where(first >= 2 * 180, recent - older, np.nan),
        "days_since_contact": last,
        "days_since_first_contact": first,
        "bookings_before": before.count.astype(np.float64),
    }


def _treatment(snapshots: Timelines, visits: Attendance, pending: PendingExpectations) -> Columns:
    start = latest_art_start(snapshots).astype(np.int64)
    has_started = (start != NO_DAY) & (start <= pending.day)
    transferred_in = np.asarray(latest_profile(snapshots, snapshots.profiles.transferred_in, 0), dtype=np.float64)
    some = has_started & (np.diff(visits.offsets) > 0)
    wait = np.full(start.size, np.nan)
    wait[some] = start[some] - visits.day[visits.offsets[:-1][some]]
    return {
        "days_on_art": np.where(has_started, pending.day - start, np.nan),
        "days_on_art_at_first_contact": np.clip(wait, -LONGEST, LONGEST),
        "art_not_started": (~has_started).astype(np.float64),
        "transferred_in": transferred_in,
    }


def _supply(snapshots: Timelines, pending: PendingExpectations) -> Columns:
    contacts = snapshots.contacts
    offsets = contacts.offsets
    last_pickup = last_where(((contacts.kind & PICKUP) > 0) & (contacts.days_supplied > 0), offsets)
    some = last_pickup >= 0
    supply, supply_left = np.full(last_pickup.size, np.nan), np.full(last_pickup.size, np.nan)
    supply[some] = contacts.days_supplied[last_pickup[some]]
    supply_left[some] = contacts.date[last_pickup[some]] + supply[some] - pending.day[some]
    kinds = np.array([_regimen_kind(text) for text in snapshots.regimens] or [0], dtype=np.int64)
    lines = np.array([_line(text) for text in snapshots.lines] or [0], dtype=np.int64)
    has_regimen = contacts.regimen >= 0
    latest = last_where(has_regimen, offsets)
    line = last_where(contacts.line >= 0, offsets)
    regimen = np.where(latest >= 0, kinds[contacts.regimen[latest]] if len(contacts) else 0, 0)
    order = np.where(line >= 0, lines[contacts.line[line]] if len(contacts) else 0, 0)
    switches, since = _switches(snapshots, has_regimen, pending)
    return {
        "days_supplied": supply,
        "supply_left": np.clip(supply_left, -LATENESS_CLIP, 366),
        "regimen": regimen.astype(np.float64),
        "regimen_line": order.astype(np.float64),
        "regimen_switches": np.where(latest >= 0, switches, np.nan),
        "days_since_switch": since,
    }


def _switches(
    snapshots: Timelines, has_regimen: npt.NDArray[np.bool_], pending: PendingExpectations
) -> tuple[Floats, Floats]:
    contacts = snapshots.contacts
    rows = np.flatnonzero(has_regimen)
    owner = contacts.owner[rows]
    is_switch = np.zeros(len(contacts), dtype=np.bool_)
    if rows.size > 1:
        differs = (contacts.regimen[rows][1:] != contacts.regimen[rows][:-1]) & (owner[1:] == owner[:-1])
        is_switch[rows[1:][differs]] = True
    latest = last_where(is_switch, contacts.offsets)
    since = np.full(latest.size, np.nan)
    some = latest >= 0
    since[some] = pending.day[some] - contacts.date[latest[some]]
    return row_sum(is_switch.astype(np.float64), contacts.offsets), since


def _regimen_kind(text: str) -> int:
    """The code in REGIMENS, from the drugs in the text."""
    upper = text.upper()
    if "DTG" in upper or "DOLUTEGRAVIR" in upper or "TLD" in upper:
        return 1
    if any(drug in upper for drug in ("LPV", "ATV", "DRV", "LOPINAVIR", "ATAZANAVIR", "DARUNAVIR")):
        return 3
    if any(drug in upper for drug in ("EFV", "NVP", "EFAVIRENZ", "NEVIRAPINE", "TLE")):
        return 2
    return 4 if upper.strip() else 0


def _line(text: str) -> int:
    """The code in LINES, from the number in the text."""
    lower = text.lower()
    for code, words in ((3, ("3rd", "third", "3")), (2, ("2nd", "second", "2")), (1, ("1st", "first", "1"))):
        if any(word in lower for word in words):
            return code
    return 0


def _samples(snapshots: Timelines, pending: PendingExpectations, variable: str) -> Columns:
    offsets = snapshots.observations.offsets
    is_sample = snapshots.observations.variable == VARIABLE_CODES[variable]
    value, age = _latest(snapshots, variable, pending)
    sample = last_where(is_sample, offsets)
    sample_age = np.full(sample.size, np.nan)
    some = sample >= 0
    sample_age[some] = pending.day[some] - snapshots.observations.date[sample[some]]
    name = "viral_load_log10" if variable == "viral_load" else variable
    return {
        name: np.log10(np.maximum(value, 1.0)) if variable == "viral_load" else value,
        f"{variable}_age": age,
        f"{variable}_samples": row_sum(is_sample.astype(np.float64), offsets),
        f"{variable}_sample_age": sample_age,
    }


def _latest(snapshots: Timelines, variable: str, pending: PendingExpectations) -> tuple[Floats, Floats]:
    """The last value of a variable with a value, and its age in days."""
    observations = snapshots.observations
    valued = (observations.variable == VARIABLE_CODES[variable]) & ~np.isnan(observations.value)
    place = last_where(valued, observations.offsets)
    value, age = np.full(place.size, np.nan), np.full(place.size, np.nan)
    some = place >= 0
    value[some] = observations.value[place[some]]
    age[some] = pending.day[some] - observations.date[place[some]]
    return value, age


def _clinical(snapshots: Timelines, pending: PendingExpectations) -> Columns:
    weights = (snapshots.observations.variable == VARIABLE_CODES["weight"]) & ~np.isnan(snapshots.observations.value)
    offsets = np.concatenate(([0], np.cumsum(weights)))[snapshots.observations.offsets]
    two = last_columns(snapshots.observations.value[weights], offsets, 2)
    pregnancy, age = _latest(snapshots, "pregnancy", pending)
    return {
        "who_stage": _latest(snapshots, "who_stage", pending)[0],
        "adherence": _latest(snapshots, "arv_adherence", pending)[0],
        "weight_change": two[:, 0] - two[:, 1],
        "pregnancy": np.where(age <= PREGNANCY_DAYS, np.nan_to_num(pregnancy) + 1.0, 0.0),
    }


def _person(snapshots: Timelines, pending: PendingExpectations) -> Columns:
    birth = latest_profile(snapshots, snapshots.profiles.birth, NO_DAY).astype(np.int64)
    return {
        "age": np.where(birth == NO_DAY, np.nan, (pending.day - birth) / DAYS_PER_YEAR),
        "sex": np.asarray(latest_profile(snapshots, snapshots.profiles.sex, 0), dtype=np.float64),
    }


def _calendar(pending: PendingExpectations) -> Columns:
    month = pending.expected.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    weekday = (pending.expected + 3) % 7  # 1970-01-01 was a Thursday
    return {"expected_weekday": weekday.astype(np.float64), "expected_month": month.astype(np.float64)}


def _not_recorded(columns: Columns) -> Floats:
    missing = [
        np.isnan(columns[name]) for name in ("viral_load_log10", "cd4", "who_stage", "adherence", "age", "days_on_art")
    ]
    missing.append(columns["sex"] == 0)
    return np.asarray(np.sum(missing, axis=0), dtype=np.float64)
