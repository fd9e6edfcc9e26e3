"""A simulated cohort: people on ART, their pick-ups, samples, deaths and transfers.

Contacts are drawn one after another for all people at once. Whether somebody interrupts after a contact depends on
lateness, earlier interruptions, time on ART, age and supply, which a tracker would also see. It also depends on a
frailty that nobody sees, so no model can be perfect. ``parameters.py`` has the parameters and their sources.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from tenants.demo.parameters import value

if TYPE_CHECKING:
    from numpy.typing import NDArray

EPOCH = date(1970, 1, 1)
SIX_MONTHS = 182
SUPPLIES = np.array([30, 60, 90, 180])
SUPPLY_SHARES_STABLE = np.array([0.20, 0.20, 0.45, 0.15])
MAX_CONTACTS = 400
SETTLED_DAYS = 20
"""Days before the end of the data in which nobody starts, so that everybody has been in the cohort for that long."""


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def from_day_number(number: int) -> date:
    """The date that many days after 1970-01-01."""
    return EPOCH + timedelta(days=int(number))


@dataclass(frozen=True, slots=True)
class Pickup:
    """One pick-up of ARVs: the day, the days supplied and, if it was recorded, the day of the next appointment."""

    person: int
    day: int
    days_supplied: int
    next_appointment: int | None
    regimen: str


@dataclass(frozen=True, slots=True)
class Cohort:
    """A simulated cohort. Days are day numbers since 1970-01-01; arrays have one entry per person.

    Attributes:
        data_day: the day to which the records run.
        facility: index of each person's facility, from 0.
        sex: ``F`` or ``M``.
        birth, art_start: days.
        transferred_in: whether the person came on treatment from elsewhere.
        died, transferred_out: the day, -1 where it did not happen.
        pickups: pick-ups in order of day.
        viral_loads, cd4_counts: (person, day, copies/mL or cells/mm3), in order of day.
        ever_interrupted: share of people with an interruption.
    """

    data_day: int
    facilities: int
    facility: NDArray[np.int64]
    sex: NDArray[np.str_]
    birth: NDArray[np.int64]
    art_start: NDArray[np.int64]
    transferred_in: NDArray[np.bool_]
    died: NDArray[np.int64]
    transferred_out: NDArray[np.int64]
    pickups: list[Pickup]
    viral_loads: list[tuple[int, int, float]]
    cd4_counts: list[tuple[int, int, float]]
    ever_interrupted: float

    @property
    def people(self) -> int:
        """The number of people."""
        return len(self.facility)

    def known_on(self, day: int) -> Cohort:
        """The same people, with their records as they were on an earlier day.

        Raises:
            ValueError: the day is after the end of the data, or more than 20 days before it.
        """
        if not self.data_day - SETTLED_DAYS <= day <= self.data_day:
            message = f"the day must be at most {SETTLED_DAYS} days before the end of the data"
            raise ValueError(message)
        return replace(
            self,
            data_day=day,
            died=np.where(self.died <= day, self.died, -1),
            transferred_out=np.where(self.transferred_out <= day, self.transferred_out, -1),
            pickups=[pickup for pickup in self.pickups if pickup.day <= day],
            viral_loads=[sample for sample in self.viral_loads if sample[1] <= day],
            cd4_counts=[sample for sample in self.cd4_counts if sample[1] <= day],
        )


def simulate(*, people: int, facilities: int, data_date: date, years: float, seed: int) -> Cohort:
    """Simulate a cohort.

    Args:
        people: number of people who ever started or transferred in.
        facilities: number of facilities; their sizes differ as clinics' sizes do.
        data_date: the day to which the records run.
        years: years since the first of them started ART.
        seed: the same seed gives the same cohort.

    Raises:
        ValueError: a count is below 1, or ``years`` below 0.5.
    """
    if people < 1 or facilities < 1 or years < 0.5:  # noqa: PLR2004 - half a year, the least
        message = "people and facilities must be at least 1 and years at least 0.5"
        raise ValueError(message)
    rng = np.random.default_rng(seed)
    end = day_number(data_date)
    sizes = rng.dirichlet(np.full(facilities, 3.0))
    facility = rng.choice(facilities, size=people, p=sizes)
    art_start = end - SETTLED_DAYS - rng.integers(0, int(years * 365), size=people)
    age_at_start = np.clip(rng.gamma(9.0, 3.9, size=people), 1, 80)
    sex = np.where(rng.random(people) < value("female_share"), "F", "M")
    birth = (art_start - age_at_start * 365.25).astype(np.int64)
    frailty = rng.normal(0, value("frailty_sd"), people) + rng.normal(0, value("facility_sd"), facilities)[facility]
    died = _event_days(rng, art_start, end, value("death_per_person_year") * np.exp(0.4 * frailty))
    transferred_out = _event_days(rng, art_start, end, np.full(people, value("transfer_per_person_year")))
    transferred_out = np.where((died >= 0) & (transferred_out >= died), -1, transferred_out)
    transferred_in = rng.random(people) < value("transferred_in_share")
    history = _Contacts(rng, end, sex, birth, art_start, frailty, died, transferred_out)
    pickups = history.run()
    return Cohort(
        data_day=end,
        facilities=facilities,
        facility=facility,
        sex=sex,
        birth=birth,
        art_start=art_start,
        transferred_in=transferred_in,
        died=died,
        transferred_out=transferred_out,
        pickups=pickups,
        viral_loads=_viral_loads(rng, pickups, art_start, frailty),
        cd4_counts=_cd4_counts(rng, art_start, end),
        ever_interrupted=float((history.interruptions > 0).mean()),
    )


def _event_days(
    rng: np.random.Generator, start: NDArray[np.int64], end: int, rate: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The day of an event with a constant yearly rate per person; -1 where it comes after the end of the data."""
    day = start + (rng.exponential(1.0, len(start)) / rate * 365.25).astype(np.int64) + 1
    return np.where(day <= end, day, -1)


class _Contacts:
    """Draws contact after contact for everybody still in care."""

    def __init__(
        self,
        rng: np.random.Generator,
        end: int,
        sex: NDArray[np.str_],
        birth: NDArray[np.int64],
        art_start: NDArray[np.int64],
        frailty: NDArray[np.float64],
        died: NDArray[np.int64],
        transferred_out: NDArray[np.int64],
    ) -> None:
        self.rng, self.end, self.sex, self.birth, self.art_start, self.frailty = (
            rng,
            end,
            sex,
            birth,
            art_start,
            frailty,
        )
        leaves = np.where(died >= 0, died, end + 1)
        self.leaves = np.minimum(leaves, np.where(transferred_out >= 0, transferred_out, end + 1))
        self.interruptions = np.zeros(len(sex), dtype=np.int64)

    def run(self) -> list[Pickup]:
        """Draw every pick-up, and return them in order of day."""
        rng = self.rng
        today = self.art_start.copy()
        late = np.zeros(len(today))
        pickups: list[Pickup] = []
        inside = np.flatnonzero((today <= self.end) & (today < self.leaves))
        for _ in range(MAX_CONTACTS):
            if not len(inside):
                break
            supply = self._supply(inside, today, late)
            expected = today[inside] + supply - rng.integers(0, 3, len(inside))
            expected -= np.where(_weekday(expected) == 6, 1, 0)  # noqa: PLR2004 - clinics close on Sunday, day 6
            has_appointment = rng.random(len(inside)) < value("appointment_recorded_share")
            regimen = np.where(today[inside] < day_number(date(2021, 1, 1)), "TDF/3TC/EFV", "TDF/3TC/DTG")
            pickups.extend(
                Pickup(int(p), int(today[p]), int(s), int(e) if w else None, str(r))
                for p, s, e, w, r in zip(inside, supply, expected, has_appointment, regimen, strict=True)
            )
            is_gone, delay = self._next_delay(inside, today, late, supply, expected)
            today[inside] = expected + delay
            late[inside] = np.maximum(delay, 0)
            inside = inside[~is_gone]
            inside = inside[(today[inside] <= self.end) & (today[inside] < self.leaves[inside])]
        pickups.sort(key=lambda pickup: (pickup.day, pickup.person))
        return pickups

    def _supply(self, who: NDArray[np.int64], today: NDArray[np.int64], late: NDArray[np.float64]) -> NDArray[np.int64]:
        """Days supplied: a month at first and after lateness, more when stable."""
        stable = (today[who] - self.art_start[who] >= SIX_MONTHS) & (late[who] <= value("grace_days"))
        return np.where(stable, self.rng.choice(SUPPLIES, len(who), p=SUPPLY_SHARES_STABLE), 30)

    def _next_delay(
        self,
        who: NDArray[np.int64],
        today: NDArray[np.int64],
        late: NDArray[np.float64],
        supply: NDArray[np.int64],
        expected: NDArray[np.int64],
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Return who never returns, and for the others the days from the expected contact to the next one."""
        rng, count = self.rng, len(who)
        age = (today[who] - self.birth[who]) / 365.25
        month = _month(expected)
        score = (
            value("iit_intercept")
            + self.frailty[who]
            + value("iit_first_six_months") * (today[who] - self.art_start[who] < SIX_MONTHS)
            + value("iit_earlier_interruption") * (self.interruptions[who] > 0)
            + value("iit_per_late_week") * np.minimum(late[who] / 7, 4)
            + value("iit_age_15_24") * ((age >= 15) & (age < 25))  # noqa: PLR2004 - years, as the parameter's name says
            + value("iit_male") * (self.sex[who] == "M")
            + value("iit_december") * ((month == 12) | (month == 1))  # noqa: PLR2004 - December
            + value("iit_long_supply") * (supply >= 90)  # noqa: PLR2004 - days, as the parameter's name says
        )
        interrupts = rng.random(count) < 1 / (1 + np.exp(-score))
        ends_in_data = expected + value("grace_days") < self.end
        self.interruptions[who] += interrupts & ends_in_data
        is_gone = interrupts & (rng.random(count) >= value("return_probability"))
        on_time = rng.random(count) < 1 / (1 + np.exp(-(_logit(value("on_time_share")) - 0.5 * self.frailty[who])))
        within = np.minimum(rng.geometric(1 / value("late_mean_days"), count), int(value("grace_days")))
        early = -rng.integers(0, 4, count)
        after = int(value("grace_days")) + 1 + rng.exponential(value("return_mean_days"), count).astype(np.int64)
        return is_gone, np.where(interrupts, after, np.where(on_time, early, within))


def _viral_loads(
    rng: np.random.Generator, pickups: list[Pickup], art_start: NDArray[np.int64], frailty: NDArray[np.float64]
) -> list[tuple[int, int, float]]:
    """A sample at the first pick-up after six months, and then about once a year."""
    due_day = art_start + SIX_MONTHS
    samples: list[tuple[int, int, float]] = []
    for pickup in pickups:
        person = pickup.person
        if pickup.day < due_day[person]:
            continue
        due_day[person] = pickup.day + 365
        suppressed = rng.random() < 1 / (1 + np.exp(-(_logit(value("suppressed_share")) - 0.6 * frailty[person])))
        copies = rng.uniform(20, 900) if suppressed else 10 ** rng.normal(4.2, 0.6)
        samples.append((person, pickup.day, float(round(copies))))
    return samples


def _cd4_counts(rng: np.random.Generator, art_start: NDArray[np.int64], end: int) -> list[tuple[int, int, float]]:
    """A CD4 count (cells/mm3) at the start of treatment for two people in three."""
    people = np.flatnonzero((rng.random(len(art_start)) < 2 / 3) & (art_start <= end))
    counts = np.clip(rng.gamma(2.2, 150.0, len(people)), 5, 1500)
    return sorted(
        ((int(p), int(art_start[p]), float(round(c))) for p, c in zip(people, counts, strict=True)),
        key=lambda x: x[1],
    )


def _weekday(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 Monday to 6 Sunday; 1970-01-01 was a Thursday."""
    return (days + 3) % 7


def _month(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """The calendar month, 1 to 12."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))
