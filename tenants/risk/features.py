"""The one definition of the features: from what was known on a day to a matrix of numbers.

Training calls :func:`compute` on snapshots of many decision days, serving on the snapshot of one day or of one
patient. Each row depends on its own pseudo-patient and on the facility rates alone, so chunks and single patients give
the same numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tenants.cohort.expected import latest_art_start, latest_profile
from tenants.cohort.timelines import NO_DAY, PICKUP, VARIABLE_CODES, Timelines
from tenants.risk import earlier_features
from tenants.risk.feature_list import FEATURES, LATE_DAYS, LATENESS_CLIP, NAMES, THEME_OF, THEMES, WINDOWS
from tenants.risk.history import (
    Attendance,
    Past,
    Pending,
    attendance,
    count_between,
    last_columns,
    last_where,
    past,
    row_sum,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from tenants.cohort.expected import Episodes
    from tenants.cohort.settings import CohortSettings
    from tenants.cohort.units import Units
    from tenants.risk.facility_rates import FacilityRates

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Columns = dict[str, Floats]

__all__ = ["FEATURES", "NAMES", "THEMES", "THEME_OF", "Pending", "compute", "pending_of"]

DECAY: Final = 0.7
LONGEST: Final = 730.0
DAYS_PER_YEAR: Final = 365.25
PREGNANCY_DAYS: Final = 300
USUAL: Final = 5


def pending_of(units: Units) -> Pending:
    """The pending expected contact of each unit, as known on the day it was decided with."""
    return Pending(units.known_day.astype(np.int64), units.origin.astype(np.int64), units.expected.astype(np.int64))


def compute(seen: Timelines, known: Episodes, pending: Pending, rules: CohortSettings, rates: FacilityRates) -> Floats:
    """The matrix of features, float64 (m, p), NaN where a value is not known.

    Its columns are those of ``feature_sets.columns()``: ``FEATURES``, then the earlier definitions.

    Args:
        seen: one pseudo-patient per row, from ``snapshot(timelines, patient, pending.day)``.
        known: ``episodes(seen, rules)``.
        pending: the expected contact that each row is about.
        rules: the tenant's cohort settings.
        rates: facility rates of earlier days.
    """
    if len(seen) == 0:
        return np.zeros((0, len(FEATURES) + len(earlier_features.EARLIER)))
    before = past(seen, known, pending, rules)
    visits = attendance(seen, rules)
    columns: Columns = {}
    columns |= _lateness(before)
    columns |= _interruptions(before, pending, rules.grace_days)
    columns |= _timing(before, pending)
    columns |= _intervals(visits, pending, rules.grace_days)
    columns |= _attendance(visits, before, pending)
    columns |= _treatment(seen, visits, pending)
    columns |= _supply(seen, pending)
    columns |= _samples(seen, pending, "viral_load")
    columns |= _samples(seen, pending, "cd4")
    columns |= _clinical(seen, pending)
    columns |= _person(seen, pending)
    columns["facility_rate"] = rates.at(pending.day, seen.facility, seen.facilities)
    columns |= _calendar(pending)
    columns["not_recorded"] = _not_recorded(columns)
    earlier = [feature.compute(seen, known, pending, rules, rates) for feature in earlier_features.EARLIER]
    ordered = [*(columns[name] for name in NAMES), *earlier]
    return np.column_stack([np.asarray(column, dtype=np.float64) for column in ordered])


def _ratio(top: Floats, bottom: Floats) -> Floats:
    out = np.full(np.shape(top), np.nan)
    np.divide(top, bottom, out=out, where=np.asarray(bottom) > 0)
    return out


def _row_median(values: Floats) -> Floats:
    """The median of what is there in each row; missing where nothing is. numpy's own is slow on a single row."""
    ordered = np.sort(values, axis=1)  # what is missing comes last
    count = (~np.isnan(values)).sum(axis=1)
    rows = np.arange(count.size)
    low, high = ordered[rows, np.maximum(count - 1, 0) // 2], ordered[rows, np.minimum(count // 2, values.shape[1] - 1)]
    return np.where(count > 0, (low + high) / 2, np.nan)


def _weighted(recent: Floats) -> Floats:
    """Mean over the last ten, each weighing DECAY of the one after it."""
    weight = np.where(np.isnan(recent), 0.0, DECAY ** np.arange(recent.shape[1]))
    return _ratio((np.nan_to_num(recent) * weight).sum(axis=1), weight.sum(axis=1))


def _lateness(before: Past) -> Columns:
    late = np.clip(before.recent, 0, LATENESS_CLIP)
    there = ~np.isnan(late)
    zeroed = np.nan_to_num(late)
    out = {"days_late_last": late[:, 0], "days_early_last": np.clip(-before.recent[:, 0], 0, LATENESS_CLIP)}
    for n in WINDOWS:
        count = there[:, :n].sum(axis=1).astype(np.float64)
        out[f"days_late_mean_{n}"] = _ratio(zeroed[:, :n].sum(axis=1), count)
        out[f"days_late_max_{n}"] = np.where(count > 0, zeroed[:, :n].max(axis=1), np.nan)
        for days in LATE_DAYS:
            out[f"late_{days}_last_{n}"] = np.where(count > 0, (zeroed[:, :n] > days).sum(axis=1), np.nan)
    flagged = np.where(there, (zeroed > 0).astype(np.float64), np.nan)
    out["days_late_weighted"] = _weighted(late)
    out["late_weighted"] = _weighted(flagged)
    out["late_share"] = (row_sum((before.late > 0).astype(np.float64), before.offsets) + 1.0) / (before.count + 2.0)
    out["days_late_trend"] = out["days_late_mean_3"] - out["days_late_mean_10"]
    return out


def _interruptions(before: Past, pending: Pending, grace: int) -> Columns:
    broken = before.late > grace
    count = row_sum(broken.astype(np.float64), before.offsets)
    latest = last_where(broken, before.offsets)
    since = np.full(latest.size, np.nan)
    visits_since = np.full(latest.size, np.nan)
    some = latest >= 0
    since[some] = pending.day[some] - before.back[latest[some]]
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


def _timing(before: Past, pending: Pending) -> Columns:
    return {
        "days_to_expected": (pending.expected - pending.day).astype(np.float64),
        "days_since_set": (pending.day - pending.origin).astype(np.float64),
        "lead_days": (pending.expected - pending.origin).astype(np.float64),
        "other_pending": before.others.astype(np.float64),
        "same_day_bookings": before.same_day.astype(np.float64),
        "expected_source": before.source.astype(np.float64),
    }


def _intervals(visits: Attendance, pending: Pending, grace: int) -> Columns:
    ten = np.clip(visits.recent, 0, LONGEST)
    five = ten[:, :USUAL]
    there = ~np.isnan(five)
    some = there.any(axis=1)
    count = there.sum(axis=1)
    middle = _row_median(five)
    spread = _ratio(np.where(there, np.abs(five - middle[:, None]), 0.0).sum(axis=1), count.astype(np.float64))
    lead = (pending.expected - pending.origin).astype(np.float64)
    gone = (pending.day - pending.origin).astype(np.float64)
    possible = ~np.isnan(ten) & (ten >= gone[:, None])
    longer = possible & (ten > (lead + grace)[:, None])
    return {
        "interval_last": ten[:, 0],
        "interval_median": middle,
        "interval_spread": np.where(count > 1, spread, np.nan),
        "interval_max": np.where(some, np.where(there, five, -1).max(axis=1), np.nan),
        "interval_min": np.where(some, np.where(there, five, np.inf).min(axis=1), np.nan),
        "interval_irregularity": np.where(count > 1, _ratio(spread, middle), np.nan),
        "lead_to_usual": _ratio(lead, middle),
        "interval_last_to_usual": _ratio(ten[:, 0], middle),
        "intervals_past_grace": (longer.sum(axis=1) + 2 * 0.2) / (possible.sum(axis=1) + 2.0),
    }


def _attendance(visits: Attendance, before: Past, pending: Pending) -> Columns:
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


def _treatment(seen: Timelines, visits: Attendance, pending: Pending) -> Columns:
    start = latest_art_start(seen).astype(np.int64)
    known = (start != NO_DAY) & (start <= pending.day)
    moved = np.asarray(latest_profile(seen, seen.profiles.transferred_in, 0), dtype=np.float64)
    some = known & (np.diff(visits.offsets) > 0)
    wait = np.full(start.size, np.nan)
    wait[some] = start[some] - visits.day[visits.offsets[:-1][some]]
    return {
        "days_on_art": np.where(known, pending.day - start, np.nan),
        "days_on_art_at_first_contact": np.clip(wait, -LONGEST, LONGEST),
        "art_not_started": (~known).astype(np.float64),
        "transferred_in": moved,
    }


def _supply(seen: Timelines, pending: Pending) -> Columns:
    contacts = seen.contacts
    offsets = contacts.offsets
    given = last_where(((contacts.kind & PICKUP) > 0) & (contacts.days_supplied > 0), offsets)
    some = given >= 0
    supply, left = np.full(given.size, np.nan), np.full(given.size, np.nan)
    supply[some] = contacts.days_supplied[given[some]]
    left[some] = contacts.date[given[some]] + supply[some] - pending.day[some]
    kinds = np.array([_regimen_kind(text) for text in seen.regimens] or [0], dtype=np.int64)
    lines = np.array([_line(text) for text in seen.lines] or [0], dtype=np.int64)
    written = contacts.regimen >= 0
    latest = last_where(written, offsets)
    line = last_where(contacts.line >= 0, offsets)
    regimen = np.where(latest >= 0, kinds[contacts.regimen[latest]] if len(contacts) else 0, 0)
    order = np.where(line >= 0, lines[contacts.line[line]] if len(contacts) else 0, 0)
    switches, since = _switches(seen, written, pending)
    return {
        "days_supplied": supply,
        "supply_left": np.clip(left, -LATENESS_CLIP, 366),
        "regimen": regimen.astype(np.float64),
        "regimen_line": order.astype(np.float64),
        "regimen_switches": np.where(latest >= 0, switches, np.nan),
        "days_since_switch": since,
    }


def _switches(seen: Timelines, written: npt.NDArray[np.bool_], pending: Pending) -> tuple[Floats, Floats]:
    contacts = seen.contacts
    rows = np.flatnonzero(written)
    owner = contacts.owner[rows]
    changed = np.zeros(len(contacts), dtype=np.bool_)
    if rows.size > 1:
        differs = (contacts.regimen[rows][1:] != contacts.regimen[rows][:-1]) & (owner[1:] == owner[:-1])
        changed[rows[1:][differs]] = True
    latest = last_where(changed, contacts.offsets)
    since = np.full(latest.size, np.nan)
    some = latest >= 0
    since[some] = pending.day[some] - contacts.date[latest[some]]
    return row_sum(changed.astype(np.float64), contacts.offsets), since


def _regimen_kind(text: str) -> int:
    """Code in REGIMENS, by the drugs named."""
    upper = text.upper()
    if "DTG" in upper or "DOLUTEGRAVIR" in upper or "TLD" in upper:
        return 1
    if any(drug in upper for drug in ("LPV", "ATV", "DRV", "LOPINAVIR", "ATAZANAVIR", "DARUNAVIR")):
        return 3
    if any(drug in upper for drug in ("EFV", "NVP", "EFAVIRENZ", "NEVIRAPINE", "TLE")):
        return 2
    return 4 if upper.strip() else 0


def _line(text: str) -> int:
    """Code in LINES, by the number named."""
    lower = text.lower()
    for code, words in ((3, ("3rd", "third", "3")), (2, ("2nd", "second", "2")), (1, ("1st", "first", "1"))):
        if any(word in lower for word in words):
            return code
    return 0


def _samples(seen: Timelines, pending: Pending, variable: str) -> Columns:
    offsets = seen.observations.offsets
    taken = seen.observations.variable == VARIABLE_CODES[variable]
    value, age = _latest(seen, variable, pending)
    sample = last_where(taken, offsets)
    sample_age = np.full(sample.size, np.nan)
    some = sample >= 0
    sample_age[some] = pending.day[some] - seen.observations.date[sample[some]]
    name = "viral_load_log10" if variable == "viral_load" else variable
    return {
        name: np.log10(np.maximum(value, 1.0)) if variable == "viral_load" else value,
        f"{variable}_age": age,
        f"{variable}_samples": row_sum(taken.astype(np.float64), offsets),
        f"{variable}_sample_age": sample_age,
    }


def _latest(seen: Timelines, variable: str, pending: Pending) -> tuple[Floats, Floats]:
    """The last value of a variable that has one, and its age in days."""
    observations = seen.observations
    valued = (observations.variable == VARIABLE_CODES[variable]) & ~np.isnan(observations.value)
    place = last_where(valued, observations.offsets)
    value, age = np.full(place.size, np.nan), np.full(place.size, np.nan)
    some = place >= 0
    value[some] = observations.value[place[some]]
    age[some] = pending.day[some] - observations.date[place[some]]
    return value, age


def _clinical(seen: Timelines, pending: Pending) -> Columns:
    weights = (seen.observations.variable == VARIABLE_CODES["weight"]) & ~np.isnan(seen.observations.value)
    offsets = np.concatenate(([0], np.cumsum(weights)))[seen.observations.offsets]
    two = last_columns(seen.observations.value[weights], offsets, 2)
    pregnancy, age = _latest(seen, "pregnancy", pending)
    return {
        "who_stage": _latest(seen, "who_stage", pending)[0],
        "adherence": _latest(seen, "arv_adherence", pending)[0],
        "weight_change": two[:, 0] - two[:, 1],
        "pregnancy": np.where(age <= PREGNANCY_DAYS, np.nan_to_num(pregnancy) + 1.0, 0.0),
    }


def _person(seen: Timelines, pending: Pending) -> Columns:
    birth = latest_profile(seen, seen.profiles.birth, NO_DAY).astype(np.int64)
    return {
        "age": np.where(birth == NO_DAY, np.nan, (pending.day - birth) / DAYS_PER_YEAR),
        "sex": np.asarray(latest_profile(seen, seen.profiles.sex, 0), dtype=np.float64),
    }


def _calendar(pending: Pending) -> Columns:
    month = pending.expected.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    weekday = (pending.expected + 3) % 7  # 1970-01-01 was a Thursday
    return {"expected_weekday": weekday.astype(np.float64), "expected_month": month.astype(np.float64)}


def _not_recorded(columns: Columns) -> Floats:
    missing = [
        np.isnan(columns[name]) for name in ("viral_load_log10", "cd4", "who_stage", "adherence", "age", "days_on_art")
    ]
    missing.append(columns["sex"] == 0)
    return np.asarray(np.sum(missing, axis=0), dtype=np.float64)
