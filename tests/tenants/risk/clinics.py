"""A small made-up cohort: some people are careless, and those who were late before are late again."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import numpy as np

from tenants.cohort.timeline_builder import make_timelines
from tenants.cohort.timelines import CLINICAL, PICKUP, Timelines

BEGIN = 18_000
END = 19_200
GRACE = 28
INTERVAL = 30


@dataclass(frozen=True)
class Clinics:
    """Days of contact of each person, and where each belongs."""

    facility: np.ndarray
    sex: np.ndarray
    birth: np.ndarray
    start: np.ndarray
    contacts: list[list[int]]

    @property
    def people(self) -> int:
        return len(self.contacts)

    def uuids(self) -> list[UUID]:
        return [UUID(int=(i + 1) << 64 | 7) for i in range(self.people)]

    def facilities(self) -> list[UUID]:
        return [UUID(int=10_000 + i) for i in range(int(self.facility.max()) + 1)]


def clinics(people: int = 400, *, facilities: int = 6, end: int = END, seed: int = 3) -> Clinics:
    """People who come about every 30 days; how often each interrupts is their own carelessness."""
    rng = np.random.default_rng(seed)
    careless = rng.beta(1.2, 6, people)
    start = rng.integers(BEGIN, BEGIN + 500, people)
    contacts = []
    for person in range(people):
        days, day = [], int(start[person])
        while day <= end:
            days.append(day)
            if rng.random() < careless[person]:
                late = int(rng.integers(GRACE + 1, 150))
            else:
                late = int(rng.integers(0, 4) + 20 * careless[person] * rng.random())
            day += INTERVAL + late
        contacts.append(days)
    return Clinics(
        facility=rng.integers(0, facilities, people),
        sex=rng.integers(1, 3, people),
        birth=rng.integers(2_000, 12_000, people),
        start=start,
        contacts=contacts,
    )


def timelines_of(cohort: Clinics) -> Timelines:
    """The cohort as timelines, every fact known on its day."""
    patient = np.repeat(np.arange(cohort.people), [len(days) for days in cohort.contacts])
    day = np.concatenate([np.asarray(days) for days in cohort.contacts])
    everyone = np.arange(cohort.people)
    return make_timelines(
        cohort.uuids(),
        facility=cohort.facility,
        facilities=cohort.facilities(),
        profiles={
            "patient": everyone,
            "sex": cohort.sex,
            "birth": cohort.birth,
            "art_start": cohort.start,
            "known_from": cohort.start,
        },
        contacts={
            "patient": patient,
            "date": day,
            "kind": CLINICAL | PICKUP,
            "days_supplied": INTERVAL,
            "next_appointment": day + INTERVAL,
            "known_from": day,
            "regimen": 0,
        },
        regimens=("TDF/3TC/DTG",),
    )
