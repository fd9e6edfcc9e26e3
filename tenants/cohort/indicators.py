"""MER indicators of a period from status transitions, as masks over patients: flows reconcile person by person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tenants.cohort.calendar import (
    AGE_BANDS,
    INTERRUPTION_BANDS,
    NOT_RECORDED,
    TIME_BANDS,
    age_band,
    interruption_band,
    months_between,
    time_band,
)
from tenants.cohort.entering import ARRIVED, FIRST_SEEN, NEW
from tenants.cohort.status import (
    ACTIVE,
    DEAD,
    IIT,
    INVALID,
    OUT,
    STOP,
    UNKNOWN,
    Transitions,
    last_transition,
    status_at,
)
from tenants.cohort.timelines import FEMALE, MALE, NO_DAY, BoolArray, DayArray, FloatArray, IntArray

DIMENSIONS: Final = ("facility", "sex", "age", "time_on_art")
SUPPRESSED: Final = 1000.0
"""A viral load below this is suppressed, copies/mL (PEPFAR MER TX_PVLS)."""
VIRAL_LOAD_MONTHS: Final = 12
_SEXES: Final = {FEMALE: "F", MALE: "M"}

AGED: Final = "aged_since_start"
"""The count that corrects the age bands.

TX_NEW counts people by age at the start of ART; all other counts use the age at the end of the period. In each band
this count is TX_NEW by age at the end less TX_NEW by age at the start. It is below 0 in a band that people leave, and 0
over all bands.
"""
IN_TERMS: Final = (
    "TX_NEW",
    "TX_RTT",
    "transferred_in",
    "first_seen",
    "returned_after_transfer_out",
    "from_unknown",
    "other_in",
    AGED,
)
OUT_TERMS: Final = ("TX_ML", "joined_and_lost", "to_unknown", "invalidated")
_ML_PARTS: Final = (
    "TX_ML_died",
    *(f"TX_ML_iit_{band}" for band in INTERRUPTION_BANDS),
    "TX_ML_iit_not_recorded",
    "TX_ML_transferred_out",
    "TX_ML_stopped",
)
MEASURES: Final = (
    "TX_CURR_start",
    *IN_TERMS,
    *OUT_TERMS,
    "TX_CURR",
    *_ML_PARTS,
    *(f"joined_and_lost_{outcome}" for outcome in ("died", "iit", "transferred_out", "stopped")),
    *(f"TX_RTT_{band}" for band in INTERRUPTION_BANDS),
    "TX_PVLS_D",
    "TX_PVLS_N",
)
"""The counts, in the order of the report. TX_CURR = TX_CURR_start + IN_TERMS - OUT_TERMS; all others are parts of
these.
"""


_PLACE: Final = {name: place for place, name in enumerate(MEASURES)}


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The patients' data that indicators use besides the transitions, as arrays in one order.

    Attributes:
        facility: index of the facility.
        sex: code.
        birth: day of birth.
        art_start: day of ART start.
        viral_load: latest result of the 12 months to the end of the period, copies/mL; NaN where there is none.
    """

    facility: IntArray
    sex: IntArray
    birth: DayArray
    art_start: DayArray
    viral_load: FloatArray


Group = tuple[str | int, ...]

NOT_SUPPRESSED: Final = "TX_PVLS_not_suppressed"
LISTED: Final = (*(name for name in MEASURES if name != AGED), NOT_SUPPRESSED)
"""The counts of people, who can be listed; NOT_SUPPRESSED is TX_PVLS_D less TX_PVLS_N."""


class Counts:
    """Counts by group, summed over chunks of patients. A group has one code or label per requested dimension."""

    def __init__(self, by: Sequence[str]) -> None:
        self.by = tuple(by)
        self._sums: dict[Group, IntArray] = defaultdict(lambda: np.zeros(len(MEASURES), dtype=np.int64))

    def add(self, moves: Transitions, people: People, start: int, end: int, minimum_months: int) -> None:
        """Count a chunk of patients over the period ``[start, end]``."""
        masks = measure(moves, people, start, end, minimum_months)
        nobody = np.zeros(people.facility.size, dtype=np.bool_)
        table = np.stack([masks.get(name, nobody) for name in MEASURES], axis=1)
        self._add([labels_of(people, name, end) for name in self.by], table)
        if "age" not in self.by:
            return
        # A new person moves from the group of their age at the end to that of their age at the start of treatment.
        new = np.flatnonzero(masks["TX_NEW"])
        began = _at(moves.date, moves.offsets[:-1][new])
        for day, sign in ((np.full(new.size, end), 1), (began, -1)):
            change = np.zeros((new.size, len(MEASURES)), dtype=np.int64)
            change[:, _PLACE[AGED]], change[:, _PLACE["TX_NEW"]] = sign, -sign
            self._add([labels_of(people, name, end, age_on=day, among=new) for name in self.by], change)

    def _add(self, labels: list[IntArray], table: npt.NDArray[Any]) -> None:
        """Add people's counts to the groups of their labels. A person without any count creates no group."""
        counts_somewhere = table.any(axis=1)
        if not labels:
            self._sums[()] += table.sum(axis=0).astype(np.int64)
            return
        codes = [label[counts_somewhere] for label in labels]
        if not codes[0].size:
            return
        keys = np.zeros(codes[0].size, dtype=np.int64)
        for code in codes:
            keys = keys * (int(code.max()) + 2) + code + 1  # codes begin at -1
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        totals = np.add.reduceat(table[counts_somewhere][order], starts, axis=0, dtype=np.int64)
        groups = np.stack(codes, axis=1)[order[starts]]
        for group, total in zip(groups.tolist(), totals, strict=True):
            self._sums[tuple(group)] += total

    def rows(self, facilities: Sequence[str]) -> list[tuple[dict[str, str], dict[str, int]]]:
        """Return each group's labels and counts, in order; one row if there are no dimensions.

        ``facilities`` has the name of each facility by its index.
        """
        if not self.by and not self._sums:
            self._sums[()] += 0
        rows = []
        for group in sorted(group for group, total in self._sums.items() if total.any() or not self.by):
            names = {name: _name(name, int(code), facilities) for name, code in zip(self.by, group, strict=True)}
            rows.append((names, dict(zip(MEASURES, self._sums[group].tolist(), strict=True))))
        return rows


def measure(moves: Transitions, people: People, start: int, end: int, minimum_months: int) -> dict[str, BoolArray]:
    """Return for each of LISTED a mask (n,) of the people whom it counts. AGED has none: it belongs to groups.

    Args:
        moves: status transitions.
        people: the same patients.
        start: first day of the period.
        end: last day of the period.
        minimum_months: months on ART before a viral load counts.
    """
    everyone = np.arange(moves.offsets.size - 1)
    before, after = status_at(moves, everyone, start - 1), status_at(moves, everyone, end)
    was, is_on = before == ACTIVE, after == ACTIVE
    arrivals = {reason: _came_on_treatment(moves, start, end, reason) for reason in (NEW, ARRIVED, FIRST_SEEN)}
    came_from_elsewhere = arrivals[ARRIVED] | arrivals[FIRST_SEEN]
    came = was | arrivals[NEW] | came_from_elsewhere
    is_back = is_on & ((before == IIT) | (before == STOP))
    after_transfer = is_on & (before == OUT)
    from_unknown = is_on & (before == UNKNOWN)
    is_gone = np.isin(after, (DEAD, IIT, OUT, STOP))
    is_lost = (was | arrivals[NEW]) & is_gone
    masks: dict[str, BoolArray] = {
        "TX_CURR_start": was,
        "TX_CURR": is_on,
        "TX_NEW": arrivals[NEW],
        "TX_RTT": is_back,
        "transferred_in": arrivals[ARRIVED],
        "first_seen": arrivals[FIRST_SEEN],
        "returned_after_transfer_out": after_transfer,
        "from_unknown": from_unknown,
        "other_in": is_on & ~(came | is_back | after_transfer | from_unknown),
        "TX_ML": is_lost,
        "joined_and_lost": came_from_elsewhere & is_gone,
        "to_unknown": came & (after == UNKNOWN),
        "invalidated": came & (after == INVALID),
    }
    last = last_transition(moves, everyone, end)
    lost_day = np.where(last >= 0, _at(moves.date, last), NO_DAY)
    on_art = interruption_band(months_between(people.art_start, lost_day))
    for outcome, status in (("died", DEAD), ("iit", IIT), ("transferred_out", OUT), ("stopped", STOP)):
        masks[f"TX_ML_{outcome}"] = is_lost & (after == status)
        masks[f"joined_and_lost_{outcome}"] = came_from_elsewhere & (after == status)
    interrupted = masks.pop("TX_ML_iit")
    for place, band in enumerate(INTERRUPTION_BANDS):
        masks[f"TX_ML_iit_{band}"] = interrupted & (on_art == place)
    masks["TX_ML_iit_not_recorded"] = interrupted & (on_art < 0)
    length = interruption_band(_interruption_months(moves, everyone, start))
    for place, band in enumerate(INTERRUPTION_BANDS):
        masks[f"TX_RTT_{band}"] = is_back & (length == place)
    months = months_between(people.art_start, end)
    eligible = is_on & ((months < 0) | (months >= minimum_months)) & ~np.isnan(people.viral_load)
    masks["TX_PVLS_D"] = eligible
    masks["TX_PVLS_N"] = eligible & (people.viral_load < SUPPRESSED)
    masks[NOT_SUPPRESSED] = eligible & (people.viral_load >= SUPPRESSED)
    return masks


def members(
    name: str,
    moves: Transitions,
    people: People,
    period: tuple[int, int],
    minimum_months: int,
    codes: Mapping[str, int],
) -> IntArray:
    """The places of the people whom ``Counts`` counts in this group.

    Args:
        name: one of LISTED.
        moves: status transitions.
        people: the same patients.
        period: first and last day.
        minimum_months: months on ART before a viral load counts.
        codes: the group's code in each dimension that confines it.
    """
    start, end = period
    counted = measure(moves, people, start, end, minimum_months).get(name)
    if counted is None:
        return np.zeros(0, dtype=np.int64)
    for dimension, code in codes.items():
        age_on = entry_day(moves) if name == "TX_NEW" and dimension == "age" else None
        counted = counted & (labels_of(people, dimension, end, age_on=age_on) == code)
    return np.flatnonzero(counted)


def entry_day(moves: Transitions) -> IntArray:
    """The day of each person's first transition; NO_DAY where there is none."""
    some = np.diff(moves.offsets) > 0
    return np.where(some, _at(moves.date, np.where(some, moves.offsets[:-1], -1)), NO_DAY)


def _at(values: npt.NDArray[np.generic], place: IntArray) -> IntArray:
    """Values at these places; a place below 0 gives an arbitrary value."""
    if values.size == 0:
        return np.full(place.size, NO_DAY, dtype=np.int64)
    return np.asarray(values[np.maximum(place, 0)], dtype=np.int64)


def _came_on_treatment(moves: Transitions, start: int, end: int, reason: int) -> BoolArray:
    """Return who came on treatment at the facility for the first time within the period, for this reason."""
    some = np.diff(moves.offsets) > 0
    first = moves.offsets[:-1][some]
    came = np.zeros(some.size, dtype=np.bool_)
    day = moves.date[first]
    came[some] = (moves.after[first] == ACTIVE) & (moves.reason[first] == reason) & (day >= start) & (day <= end)
    return came


def _interruption_months(moves: Transitions, everyone: IntArray, start: int) -> IntArray:
    """Completed months from the interruption (or stop) that was open at the start of the period to the first return."""
    place = last_transition(moves, everyone, start - 1)
    interruption = np.full(moves.offsets.size - 1, -1, dtype=np.int64)
    owner = moves.owner
    return_row = np.flatnonzero((moves.after == ACTIVE) & (moves.date >= start))
    interruption[owner[return_row][::-1]] = return_row[::-1]
    has_both = (place >= 0) & (interruption >= 0)
    began = np.where(has_both, _at(moves.date, place), NO_DAY)
    return months_between(began, np.where(has_both, _at(moves.date, interruption), NO_DAY))


def labels_of(
    people: People,
    dimension: str,
    end: int,
    *,
    age_on: npt.ArrayLike | None = None,
    among: IntArray | slice = slice(None),
) -> IntArray:
    """The code of each person's group in a dimension at ``end``; -1 where it is not recorded.

    ``age_on`` gives other days for the age; ``among`` is the mask of the people who count.
    """
    if dimension == "facility":
        return people.facility[among].astype(np.int64)
    if dimension == "sex":
        return np.where(people.sex > 0, people.sex, -1)[among].astype(np.int64)
    if dimension == "age":
        return age_band(people.birth[among], end if age_on is None else age_on)
    return time_band(months_between(people.art_start[among], end))


def _name(dimension: str, code: int, facilities: Sequence[str]) -> str:
    if code < 0:
        return NOT_RECORDED
    if dimension == "facility":
        return facilities[code]
    if dimension == "sex":
        return _SEXES[code]
    return (AGE_BANDS if dimension == "age" else TIME_BANDS)[code]
