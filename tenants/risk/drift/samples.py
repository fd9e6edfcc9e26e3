"""Samples of a day: the features of people with an expected contact ahead, as known on that day, one row a person."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from tenants.cohort.units import pending_units
from tenants.risk.facility_rates import FacilityCounts
from tenants.risk.input_sets import columns
from tenants.risk.pending import matrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    import numpy.typing as npt

    from tenants.cohort.settings import CohortSettings
    from tenants.cohort.timelines import Timelines
    from tenants.risk.facility_rates import FacilityRates
    from tenants.risk.serving import ServingModel

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

REFERENCE_LAGS: Final = (28, 56, 84, 112, 140, 168)
"""Days before the day that is looked at, all on its weekday: the half-year before it is what is usual."""


@dataclass(frozen=True, slots=True, eq=False)
class DaySample:
    """People of one or several days, one row each.

    Attributes:
        X: (n, p) features, columns as in ``input_sets.columns()``.
        patient: (n,) a hash of each person's UUID.
        facility: (n,) index into ``facilities``.
        day: (n,) the day of each row.
        facilities: UUIDs.
        risk: (n,) calibrated probabilities; empty until :func:`scored`.
    """

    X: Floats
    patient: npt.NDArray[np.uint64]
    facility: Ints
    day: Ints
    facilities: tuple[UUID, ...]
    risk: Floats

    def __len__(self) -> int:
        return len(self.X)

    def where(self, mask: npt.NDArray[np.bool_] | Ints) -> DaySample:
        """The rows at a mask or at indices."""
        risk = self.risk[mask] if self.risk.size else self.risk
        return DaySample(self.X[mask], self.patient[mask], self.facility[mask], self.day[mask], self.facilities, risk)


def draw(
    chunks: Iterable[Timelines], days: Sequence[int], rules: CohortSettings, rates: FacilityRates
) -> dict[int, DaySample]:
    """Compute the sample of each day, in one pass over the people.

    Args:
        chunks: timelines, all versions.
        days: day numbers.
        rules: the tenant's cohort settings.
        rates: the facility rates of all days.
    """
    parts: dict[int, list[DaySample]] = {day: [_none()] for day in days}
    for timelines in chunks:
        hashes = np.array([patient_hash(uuid) for uuid in timelines.patient_uuid], dtype=np.uint64)
        for day in days:
            pending = pending_units(timelines, day, rules)
            order = np.lexsort((pending.expected, pending.patient))
            nearest = order[np.unique(pending.patient[order], return_index=True)[1]]
            pending = pending.where(nearest)
            if not len(pending):
                continue
            facility = timelines.facility[pending.patient].astype(np.int64)
            parts[day].append(
                DaySample(
                    matrix(timelines, pending, rules, rates),
                    hashes[pending.patient],
                    facility,
                    np.full(len(pending), day, dtype=np.int64),
                    timelines.facilities,
                    np.zeros(0),
                )
            )
    return {day: joined(samples) for day, samples in parts.items()}


def rates_of(chunks: Iterable[Timelines], days: Sequence[int], rules: CohortSettings) -> FacilityRates:
    """Count the facility rates of the days among these people alone, so that all samples have them in the same way."""
    counts = FacilityCounts(min(days), max(days), rules)
    for timelines in chunks:
        counts.add(timelines)
    return counts.rates()


def joined(samples: Sequence[DaySample]) -> DaySample:
    """The rows of several samples with the same facilities; the last of them names the facilities."""
    return DaySample(
        np.concatenate([sample.X for sample in samples]),
        np.concatenate([sample.patient for sample in samples]),
        np.concatenate([sample.facility for sample in samples]),
        np.concatenate([sample.day for sample in samples]),
        samples[-1].facilities,
        np.concatenate([sample.risk for sample in samples]),
    )


def scored(sample: DaySample, model: ServingModel) -> DaySample:
    """The sample with the model's risk. Call it while no transaction is open.

    Raises:
        ModelFailed: the model raised an error, or returned something that is not a probability.
    """
    return replace(sample, risk=model.raw_and_risk(sample.X)[1])


def one_day_each(sample: DaySample, seed: int = 0) -> DaySample:
    """One row a person, of one of the days, chosen by a hash: rows of different people are independent."""
    mixed = sample.patient ^ (sample.day.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(31)
    order = np.lexsort((mixed, sample.patient))
    return sample.where(np.sort(order[np.unique(sample.patient[order], return_index=True)[1]]))


def patient_hash(uuid: UUID) -> int:
    """A number of 64 bits for a person, the same each time."""
    return int.from_bytes(hashlib.blake2b(uuid.bytes, digest_size=8).digest())


def _none() -> DaySample:
    empty = np.zeros(0, dtype=np.int64)
    return DaySample(np.zeros((0, len(columns()))), np.zeros(0, dtype=np.uint64), empty, empty, (), np.zeros(0))
