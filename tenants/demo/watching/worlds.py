"""Simulated cohorts as timelines in memory, undisturbed or with a shift that begins on a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np

from tenants.cohort.settings import CohortSettings
from tenants.cohort.timeline_builder import make_timelines
from tenants.cohort.timelines import CLINICAL, DIED, NO_DAY, PICKUP, TRANSFERRED_OUT, VARIABLE_CODES
from tenants.demo.simulate import simulate
from tenants.risk.dataset import build
from tenants.risk.drift.samples import DaySample, draw, rates_of
from tenants.risk.input_sets import FEATURE_SET, select
from tenants.risk.training import train

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    import numpy.typing as npt

    from tenants.cohort.timelines import Timelines
    from tenants.demo.simulate import Cohort
    from tenants.risk.candidates import Candidate, Fit

    Columns = dict[str, npt.NDArray[Any]]
    Change = Callable[[Columns, int, np.random.Generator], Columns]

SEXES: Final = {"F": 1, "M": 2}
YEARS: Final = 6.0
WATCHED_DAYS: Final = 364
"""Days at the end of the data in which an undisturbed cohort is looked at."""
TRAINED_BEFORE: Final = 600
"""The model knows outcomes up to this many days before the end of the data."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Something that changes on a day.

    Attributes:
        name: its name.
        about: what happens, in words.
        subjects: subjects of signals, each of which finds it.
        change: gives the contacts after it, from the contacts, the day and a generator.
    """

    name: str
    about: str
    subjects: frozenset[str]
    change: Change


def _later(contacts: Columns, day: int, _random: np.random.Generator) -> Columns:
    moved = np.where(contacts["date"] >= day, contacts["date"] + 7, contacts["date"])
    return contacts | {"date": moved, "known_from": moved}


def _no_supply(contacts: Columns, day: int, _random: np.random.Generator) -> Columns:
    return contacts | {"days_supplied": np.where(contacts["date"] >= day, 0, contacts["days_supplied"])}


def _no_supply_at_one(contacts: Columns, day: int, _random: np.random.Generator) -> Columns:
    there = contacts["facility"] == int(np.bincount(contacts["facility"]).argmax())
    return contacts | {"days_supplied": np.where(there & (contacts["date"] >= day), 0, contacts["days_supplied"])}


def _short_supply(contacts: Columns, day: int, _random: np.random.Generator) -> Columns:
    short = (contacts["date"] >= day) & (contacts["days_supplied"] > 30)  # noqa: PLR2004 - a month
    supplied = np.where(short, 30, contacts["days_supplied"])
    appointment = np.where(
        short & (contacts["next_appointment"] != NO_DAY), contacts["date"] + 30, contacts["next_appointment"]
    )
    return contacts | {"days_supplied": supplied, "next_appointment": appointment}


def _more_interruptions(contacts: Columns, day: int, random: np.random.Generator) -> Columns:
    """One in eight stays away for four months from the day on."""
    away = random.random(int(contacts["patient"].max()) + 1) < 1 / 8
    gone = away[contacts["patient"]] & (contacts["date"] >= day) & (contacts["date"] < day + 120)
    return {name: column[~gone] for name, column in contacts.items()}


_FEATURES: Final = frozenset({"features", "records"})
SHIFTS: Final = (
    Shift("late", "Everybody comes 7 days later than before.", _FEATURES, _later),
    Shift("supply", "Days of supply are no longer recorded.", _FEATURES, _no_supply),
    Shift(
        "one clinic",
        "The largest facility no longer records days of supply.",
        frozenset({"facilities"}),
        _no_supply_at_one,
    ),
    Shift("short supply", "A shortage: everybody gets 30 days of ARVs at most.", _FEATURES, _short_supply),
    Shift(
        "interruptions", "One person in eight stays away for four months.", frozenset({"outcomes"}), _more_interruptions
    ),
)


@dataclass(slots=True)
class World:
    """A simulated cohort, with samples of days that are drawn once.

    Attributes:
        timelines: all its facts.
        end: the last day.
        rules: the rules of cohorts.
        model: the model that scores.
    """

    timelines: Timelines
    end: int
    rules: CohortSettings
    model: Candidate
    _samples: dict[int, DaySample] = field(default_factory=dict)

    def sample(self, day: int) -> DaySample:
        """The scored sample of a day."""
        if day not in self._samples:
            rates = rates_of([self.timelines], [day], self.rules)
            drawn = draw([self.timelines], [day], self.rules, rates)[day]
            self._samples[day] = DaySample(
                drawn.X.astype(np.float32),
                drawn.patient,
                drawn.facility,
                drawn.day,
                drawn.facilities,
                self.risk(drawn.X),
            )
        return self._samples[day]

    def risk(self, features: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Calibrated probabilities of the rows of the platform's matrix."""
        return self.model.risk(select(FEATURE_SET.features).of(features))

    def with_shift(self, cohort: Cohort, shift: Shift, day: int, seed: int) -> World:
        """The same people and model, after a shift."""
        changed = timelines_of(cohort, lambda contacts: shift.change(contacts, day, np.random.default_rng(seed)))
        earlier = {when: sample for when, sample in self._samples.items() if when < day}
        return World(changed, self.end, self.rules, self.model, earlier)


def make_world(*, people: int, facilities: int, data_date: date, seed: int, fit: Fit) -> tuple[World, Cohort]:
    """Simulate a cohort, and train a model on what was known long before its end.

    Args:
        people: number of people.
        facilities: number of facilities.
        data_date: the last day.
        seed: the same seed gives the same world.
        fit: fits the additive model.
    """
    cohort = simulate(people=people, facilities=facilities, data_date=data_date, years=YEARS, seed=seed)
    timelines, rules = timelines_of(cohort), CohortSettings()
    complete = np.full(facilities, cohort.data_day - TRAINED_BEFORE, dtype=np.int32)
    data, _rates = build(lambda: iter([timelines]), rules, complete)
    outcome = train(data, fit, ["additive"], {place: f"F{place}" for place in range(facilities)})
    return World(timelines, cohort.data_day, rules, outcome.candidates[-1]), cohort


def timelines_of(cohort: Cohort, change: Callable[[Columns], Columns] = lambda contacts: contacts) -> Timelines:
    """The cohort as timelines; every fact is known on its day."""
    everyone = np.arange(cohort.people)
    regimens = sorted({pickup.regimen for pickup in cohort.pickups})
    patient = np.array([pickup.person for pickup in cohort.pickups], dtype=np.int64)
    day = np.array([pickup.day for pickup in cohort.pickups], dtype=np.int64)
    contacts = change(
        {
            "patient": patient,
            "facility": cohort.facility[patient],
            "date": day,
            "days_supplied": np.array([pickup.days_supplied for pickup in cohort.pickups]),
            "next_appointment": np.array(
                [NO_DAY if p.next_appointment is None else p.next_appointment for p in cohort.pickups]
            ),
            "regimen": np.array([regimens.index(pickup.regimen) for pickup in cohort.pickups]),
            "known_from": day,
        }
    )
    del contacts["facility"]
    left = [
        (person, code, int(when))
        for code, days in ((DIED, cohort.died), (TRANSFERRED_OUT, cohort.transferred_out))
        for person, when in enumerate(days)
        if when >= 0
    ]
    measured = [(VARIABLE_CODES["viral_load"], *row) for row in cohort.viral_loads]
    measured += [(VARIABLE_CODES["cd4"], *row) for row in cohort.cd4_counts]
    variable, person, sampled, result = (np.array(column) for column in zip(*measured, strict=True))
    gone, code, when = (np.array(column, dtype=np.int64) for column in zip(*left, strict=True))
    return make_timelines(
        [UUID(int=(int(place) + 1) << 64 | 7) for place in everyone],
        facility=cohort.facility,
        facilities=[UUID(int=10_000 + place) for place in range(cohort.facilities)],
        profiles={
            "patient": everyone,
            "sex": np.array([SEXES[sex] for sex in cohort.sex]),
            "birth": cohort.birth,
            "art_start": cohort.art_start,
            "transferred_in": cohort.transferred_in,
            "known_from": cohort.art_start,
        },
        contacts=contacts | {"kind": CLINICAL | PICKUP},
        states={"patient": gone, "code": code, "date": when, "known_from": when},
        observations={
            "patient": person.astype(np.int64),
            "variable": variable,
            "date": sampled,
            "value": result,
            "known_from": sampled,
        },
        regimens=regimens,
    )
