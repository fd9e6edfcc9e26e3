"""Expected contacts: the day on which a contact (or booking) expects the person next, and the day the person came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from tenants.cohort.settings import (
    CohortSettings,
    FixedRule,
    ScheduleRule,
    UsualIntervalRule,
)
from tenants.cohort.timelines import (
    BOOKING_CANCELLED,
    BOOKING_KEPT,
    BOOKING_SCHEDULED,
    NO_DAY,
    PICKUP,
    BoolArray,
    CodeArray,
    Contacts,
    DayArray,
    Gaps,
    IntArray,
    Timelines,
    current,
    offsets_of,
    row_key,
)

if TYPE_CHECKING:
    import numpy.typing as npt

FROM_APPOINTMENT: Final = 1
FROM_SUPPLY: Final = 2
FROM_RULE: Final = 3
FROM_BOOKING: Final = 4
FROM_UNREAD: Final = 5
SOURCES: Final = (
    "",
    "recorded appointment",
    "days supplied",
    "the tenant's rule",
    "booking",
    "not known: the supply cannot be believed",
)

S = TypeVar("S", bound=np.generic)

_BIG: Final = 2**33
_DAYS_PER_MONTH: Final = 30.4375
_TRIMMED_FROM: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """Expected contacts, CSR over patients, in order of origin.

    Attributes:
        offsets: (n + 1,) episodes of each patient.
        origin: the day that set the expected contact: the day of the contact, or the day of booking.
        expected: the day on which the contact is expected.
        fulfilled: the first contact that answers it, or NO_DAY.
        source: FROM_APPOINTMENT, FROM_SUPPLY, FROM_RULE, FROM_BOOKING or FROM_UNREAD.
        row: the contact's or booking's row in the timelines' ``contacts`` or ``bookings``.
        unread: whether the outcome is unknowable, because a contact after the origin, or the supply, is not readable.
    """

    offsets: IntArray
    origin: DayArray
    expected: DayArray
    fulfilled: DayArray
    source: CodeArray
    row: IntArray
    unread: BoolArray

    def __len__(self) -> int:
        return int(self.origin.size)

    @property
    def owner(self) -> IntArray:
        """The patient of each episode."""
        return np.repeat(np.arange(self.offsets.size - 1), np.diff(self.offsets))

    @property
    def last(self) -> IntArray:
        """The last episode of each patient; -1 for those who have none."""
        return np.where(np.diff(self.offsets) > 0, self.offsets[1:] - 1, -1)


def episodes(timelines: Timelines, rules: CohortSettings) -> Episodes:
    """Return the expected contacts of these (pseudo-)patients, from the open versions of the facts.

    Contacts mode: each contact sets the next expected one (``expectations``), and the next contact fulfils it. Bookings
    mode: each booking that was not cancelled is an expected contact of its own; they may overlap. A kept booking is
    fulfilled on its day, any other by the next contact.

    Args:
        timelines: a snapshot, or all versions (the open ones count).
        rules: the tenant's rules.

    Raises:
        ValueError: a snapshot holds two versions of one day's contact.
    """
    if rules.expected_from == "bookings":
        return _from_bookings(_latest(timelines), rules)
    return _from_contacts(_latest(timelines), rules)


def _latest(timelines: Timelines) -> Timelines:
    return current(timelines) if timelines.day is None else timelines


def running_maximum(values: npt.NDArray[np.integer], owner: IntArray) -> DayArray:
    """The largest value so far within each owner. Owners must be sorted."""
    lifted = np.maximum.accumulate(values.astype(np.int64) + owner * _BIG)
    return (lifted - owner * _BIG).astype(np.int32)


def _from_contacts(timelines: Timelines, rules: CohortSettings) -> Episodes:
    contacts = timelines.contacts
    owner = contacts.owner
    if np.any((np.diff(contacts.date) == 0) & (np.diff(owner) == 0)):
        message = "two versions of one contact: take a snapshot, or the current versions, first"
        raise ValueError(message)
    expectation = expectations(timelines, rules)
    after = np.full(len(contacts), NO_DAY, dtype=np.int32)
    same = owner[1:] == owner[:-1]
    after[:-1][same] = contacts.date[1:][same]
    unread = expectation.unread.copy()
    before = last_before(timelines.gaps, owner, contacts.date)
    unread[before[before >= 0]] = True
    return Episodes(
        offsets=contacts.offsets,
        origin=contacts.date,
        expected=expectation.day,
        fulfilled=after,
        source=expectation.source,
        row=np.arange(len(contacts)),
        unread=unread,
    )


def last_before(gaps: Gaps, owner: IntArray, day: npt.NDArray[np.integer]) -> IntArray:
    """Return for each gap the patient's last row up to the list's day; -1 if there is none.

    ``owner`` and ``day`` are the owners and days of the rows, sorted.
    """
    patient = gaps.owner
    place = np.searchsorted(row_key(owner, day), row_key(patient, gaps.date), side="right") - 1
    if owner.size == 0:
        return place
    return np.where((place >= 0) & (owner[place] == patient), place, -1)


@dataclass(frozen=True, slots=True, eq=False)
class Expectations:
    """The day on which each contact expects the next one, and where that day comes from.

    Attributes:
        day: the expected day, always after the contact.
        source: FROM_APPOINTMENT, FROM_SUPPLY, FROM_RULE or FROM_UNREAD.
        unread: whether the contact's supply is implausible and nothing else gives the next day.
    """

    day: DayArray
    source: CodeArray
    unread: BoolArray


def expectations(timelines: Timelines, rules: CohortSettings) -> Expectations:
    """The day on which each contact expects the next one, by the tenant's ``expected_by``.

    Two days count for a contact: the last appointment given up to it, and the end of the ARVs dispensed up to it. A day
    that is not after the contact does not count. Without either, the tenant's rule gives the next day; for a pick-up,
    the rule's days count as its supply.
    """
    contacts = timelines.contacts
    day, owner = contacts.date, contacts.owner
    ahead = contacts.next_appointment - day  # of NO_DAY it wraps round to more than any day ahead
    appointed = (ahead > 0) & (ahead < rules.longest_ahead_days)
    picked = (contacts.kind & PICKUP) > 0
    supply = np.where(picked, contacts.days_supplied, 0)
    excessive = supply > rules.longest_supply_days
    supply[excessive] = 0
    np.maximum(supply, 0, out=supply)
    neither = np.flatnonzero(~(appointed | (supply > 0)))
    unread = excessive & ~appointed
    imputed = np.full(day.size, NO_DAY, dtype=np.int32)
    if neither.size:
        imputed[neither] = day[neither] + _rule_days(timelines, rules)[neither]
        blank = neither[(picked & ~unread)[neither]]
        supply[blank] = imputed[blank] - day[blank]
    appointment = _latest_of(contacts, contacts.next_appointment, appointed)
    until = _stocked(contacts, supply) if rules.expected_by == "stock" else _supplied_until(day, supply, owner)
    expected = _expected_day(rules, day, appointment, until, imputed, unread)
    source = np.where(unread, np.int8(FROM_UNREAD), np.int8(FROM_RULE))
    is_known = expected != imputed
    is_known[neither[unread[neither]]] = True  # for these the rule gives no day
    source[is_known & (expected == until)] = FROM_SUPPLY
    source[is_known & (expected == appointment)] = FROM_APPOINTMENT
    return Expectations(expected, source, unread)


def _expected_day(
    rules: CohortSettings, day: DayArray, appointment: DayArray, until: DayArray, imputed: DayArray, unread: BoolArray
) -> DayArray:
    """The expected day of each contact. An appointment or supply that ends by the contact's day does not count."""
    if rules.expected_by == "later":
        expected = np.maximum(appointment, until)
        np.maximum(expected, imputed, out=expected, where=~unread)
    elif rules.expected_by == "earlier":
        expected = np.minimum(
            np.where(appointment > day, appointment, until), np.where(until > day, until, appointment)
        )
    else:
        first, second = (appointment, until) if rules.expected_by == "appointment" else (until, appointment)
        expected = np.where(first > day, first, second)
    return np.where(expected > day, expected, imputed)


def _latest_of(contacts: Contacts, values: DayArray, mask: BoolArray) -> DayArray:
    """Return for each row the value at the patient's last row so far where ``mask`` is true; NO_DAY if none."""
    if values.size == 0:
        return values
    place = np.maximum.accumulate(np.where(mask, np.arange(values.size), -1))
    first = np.repeat(contacts.offsets[:-1], np.diff(contacts.offsets))
    return np.where(place >= first, values[place], np.int32(NO_DAY))


def _supplied_until(day: DayArray, supply: DayArray, owner: IntArray) -> DayArray:
    """The latest end of the ARVs so far. Each supply counts from the day of its pick-up."""
    return running_maximum(np.where(supply > 0, day + supply, np.int32(NO_DAY)), owner)


def _stocked(contacts: Contacts, supply: DayArray) -> DayArray:
    """The end of the ARVs at home, where each pick-up adds to what is left of the earlier ones."""
    owner = contacts.owner
    total = np.cumsum(supply, dtype=np.int64)
    handed = total - (total - supply)[contacts.offsets[:-1][owner]] if total.size else total
    # The stock restarts on the day on which the most had been used up.
    return (handed + running_maximum(contacts.date - (handed - supply), owner)).astype(np.int32)


def default_days(rules: CohortSettings, months_on_art: int = 0) -> int:
    """The days to the next contact by the tenant's rule, for a person without intervals of their own."""
    rule = rules.rule
    if isinstance(rule, FixedRule):
        return rule.days
    if isinstance(rule, UsualIntervalRule):
        return rule.default_days
    if rule.by == "contact_number":
        return rule.bands[0].days
    return next(
        (band.days for band in reversed(rule.bands) if band.start <= months_on_art),
        rule.bands[0].days,
    )


def _rule_days(timelines: Timelines, rules: CohortSettings) -> IntArray:
    """Days to the next contact by the tenant's rule, per contact."""
    contacts = timelines.contacts
    rule = rules.rule
    if isinstance(rule, FixedRule):
        return np.full(len(contacts), rule.days, dtype=np.int64)
    if isinstance(rule, ScheduleRule):
        return _scheduled_days(timelines, rule)
    return _usual_days(contacts, rule)


def _scheduled_days(timelines: Timelines, rule: ScheduleRule) -> IntArray:
    contacts = timelines.contacts
    owner = contacts.owner
    if rule.by == "contact_number":
        stage = np.arange(len(contacts)) - contacts.offsets[owner] + 1.0
    else:
        start = latest_art_start(timelines)[owner].astype(np.float64)
        stage = (contacts.date - start) / _DAYS_PER_MONTH
        stage[start == NO_DAY] = 0.0
    starts = np.array([band.start for band in rule.bands])
    days = np.array([band.days for band in rule.bands], dtype=np.int64)
    return days[np.maximum(np.searchsorted(starts, stage, side="right") - 1, 0)]


def _usual_days(contacts: Contacts, rule: UsualIntervalRule) -> IntArray:
    """Return for each contact the person's usual interval, from the last intervals that had ended by then."""
    n = len(contacts)
    if n == 0:
        return np.zeros(0, dtype=np.int64)
    nth = np.arange(n) - contacts.offsets[contacts.owner]
    gaps = np.diff(contacts.date, prepend=contacts.date[:1]).astype(np.float32)
    lagged = np.full((n, rule.window), np.nan, dtype=np.float32)
    for lag in range(min(rule.window, n)):
        lagged[lag:, lag] = gaps[: n - lag]
    lagged[nth[:, None] <= np.arange(rule.window)] = np.nan
    lagged.sort(axis=1)
    intervals = np.minimum(nth, rule.window)
    usual = _middle(lagged, intervals) if rule.statistic == "median" else _trimmed_mean(lagged, intervals)
    bounded = np.clip(np.rint(np.nan_to_num(usual)), rule.shortest, rule.longest).astype(np.int64)
    return np.where(intervals >= rule.minimum, bounded, rule.default_days)


def _middle(sorted_intervals: npt.NDArray[np.float32], intervals: IntArray) -> npt.NDArray[np.float32]:
    row = np.arange(intervals.size)
    low = sorted_intervals[row, np.maximum(intervals - 1, 0) // 2]
    high = sorted_intervals[row, np.minimum(intervals // 2, sorted_intervals.shape[1] - 1)]
    middle: npt.NDArray[np.float32] = (low + high) / np.float32(2)
    return middle


def _trimmed_mean(sorted_intervals: npt.NDArray[np.float32], intervals: IntArray) -> npt.NDArray[np.float32]:
    """The mean without the shortest and the longest interval, where at least four are known."""
    place = np.arange(sorted_intervals.shape[1])
    trim = np.where(intervals >= _TRIMMED_FROM, 1, 0)[:, None]
    inside = (place >= trim) & (place < intervals[:, None] - trim)
    total = np.where(inside, sorted_intervals, np.float32(0)).sum(axis=1)
    mean: npt.NDArray[np.float32] = (total / np.maximum(inside.sum(axis=1), 1)).astype(np.float32)
    return mean


def latest_art_start(timelines: Timelines) -> DayArray:
    """The recorded start of ART in each patient's latest profile; NO_DAY where there is none."""
    return latest_profile(timelines, timelines.profiles.art_start, NO_DAY)


def latest_profile(timelines: Timelines, column: npt.NDArray[S], missing: int) -> npt.NDArray[S]:
    """A column of each patient's latest known profile; ``missing`` where there is none."""
    offsets = timelines.profiles.offsets
    has_profile = np.diff(offsets) > 0
    out = np.full(len(timelines), missing, dtype=column.dtype)
    out[has_profile] = column[offsets[1:][has_profile] - 1]
    return out


def contact_days(timelines: Timelines, rules: CohortSettings) -> tuple[IntArray, DayArray]:
    """Owners and days of all contacts (in bookings mode also of kept bookings), in order, without repeated days."""
    contacts, bookings = timelines.contacts, timelines.bookings
    if rules.expected_from == "contacts":
        return contacts.owner, contacts.date
    kept_bookings = bookings.status == BOOKING_KEPT
    owner = np.concatenate((contacts.owner, bookings.owner[kept_bookings]))
    day = np.concatenate((contacts.date, bookings.due[kept_bookings]))
    key = np.unique(row_key(owner, day))
    owner = (key - NO_DAY) // _BIG
    return owner, (key - owner * _BIG).astype(np.int32)


def first_from(
    timelines: Timelines,
    rules: CohortSettings,
    owner: IntArray,
    day: npt.NDArray[np.integer],
    *,
    strictly_after: BoolArray | bool = False,
) -> DayArray:
    """The first contact of each owner on (or strictly after) a day; NO_DAY where there is none."""
    holder, days = contact_days(timelines, rules)
    earliest = day.astype(np.int64) + np.asarray(strictly_after, dtype=np.int64)
    place = np.searchsorted(row_key(holder, days), row_key(owner, earliest))
    result = np.full(owner.size, NO_DAY, dtype=np.int32)
    inside = place < holder.size
    inside[inside] = holder[place[inside]] == owner[inside]
    result[inside] = days[place[inside]]
    return result


def _from_bookings(timelines: Timelines, rules: CohortSettings) -> Episodes:
    bookings = timelines.bookings
    row = np.flatnonzero((bookings.status != BOOKING_CANCELLED) & (bookings.due >= bookings.booked))
    owner = bookings.owner[row]
    due_day, status = bookings.due[row], bookings.status[row]
    later = first_from(timelines, rules, owner, due_day, strictly_after=status != BOOKING_SCHEDULED)
    return Episodes(
        offsets=offsets_of(owner, len(timelines)),
        origin=bookings.booked[row],
        expected=due_day,
        fulfilled=np.where(status == BOOKING_KEPT, due_day, later),
        source=np.full(row.size, FROM_BOOKING, dtype=np.int8),
        row=row,
        unread=np.zeros(row.size, dtype=np.bool_),
    )
