"""Prediction units with their features and labels, for training and evaluation, in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from core.errors import Conflict
from core.telemetry.progress import ProgressCallback
from tenants.cohort.expected import episodes, latest_profile
from tenants.cohort.timelines import NO_DAY, Timelines
from tenants.cohort.units import OUTCOMES, Units, units
from tenants.risk.facility_rates import FacilityCounts, FacilityRates
from tenants.risk.input_list import SEXES
from tenants.risk.input_sets import columns
from tenants.risk.model_inputs import compute, pending_of

if TYPE_CHECKING:
    from uuid import UUID

    import numpy.typing as npt

    from tenants.cohort.settings import CohortSettings

    Ints = npt.NDArray[np.int64]

Chunks = Callable[[], Iterator[Timelines]]
"""Returns the tenant's timelines, chunk after chunk. It is called once per pass."""


UNITS_AT_ONCE: Final = 20_000
AGE_EDGES: Final = (15, 20, 25, 35, 50)
AGE_BANDS: Final = ("0-14", "15-19", "20-24", "25-34", "35-49", "50+", "not recorded")
DAYS_PER_YEAR: Final = 365.25


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Resolved prediction units, one row each.

    Attributes:
        X: float32 (n, p), columns as in ``input_sets.columns()``.
        y: int8 (n,), 1 no contact by expected + grace, 0 a contact, -1 a competing outcome.
        outcome: code in ``OUTCOMES``.
        patient: number of the patient, the same for all of a patient's rows.
        day: the last day whose knowledge was used.
        deadline: day on which the outcome was known.
        facility: index into ``facilities``.
        sex: code in ``SEXES``.
        age_band: code in ``AGE_BANDS``.
        facilities: UUIDs.
        assumed: whether the row has contacts whose day of knowledge is assumed.
    """

    X: npt.NDArray[np.float32]
    y: npt.NDArray[np.int8]
    outcome: npt.NDArray[np.int8]
    patient: Ints
    day: Ints
    deadline: Ints
    facility: Ints
    sex: npt.NDArray[np.int8]
    age_band: npt.NDArray[np.int8]
    assumed: npt.NDArray[np.bool_]
    facilities: tuple[UUID, ...] = ()

    def __len__(self) -> int:
        return int(self.y.size)

    def where(self, mask: npt.NDArray[np.bool_]) -> Dataset:
        """The rows where ``mask`` is true."""
        arrays = {f.name: getattr(self, f.name)[mask] for f in fields(self) if f.name != "facilities"}
        return Dataset(**arrays, facilities=self.facilities)

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        """A mask of the rows with a label: those without a competing outcome."""
        return np.asarray(self.y >= 0)

    def outcomes(self) -> dict[str, int]:
        """The number of rows by outcome."""
        counts = np.bincount(self.outcome, minlength=len(OUTCOMES))
        return {name: int(count) for name, count in zip(OUTCOMES, counts, strict=True) if count}


def build(
    chunks: Chunks,
    rules: CohortSettings,
    complete: npt.NDArray[np.int32],
    *,
    years: int = 6,
    most: int = 400_000,
    seed: int = 0,
    progress: ProgressCallback | None = None,
) -> tuple[Dataset, FacilityRates]:
    """Draw the units, count the facility rates, and compute the features.

    Two passes read the chunks: the first counts units and facility rates, the second computes features. With more than
    ``most`` rows, a hash of the UUID draws the patients, the same ones each time.

    Args:
        chunks: returns the timelines, all versions.
        rules: the tenant's cohort settings.
        complete: complete-through day of each facility, NO_DAY where unknown.
        years: years of decisions before the last complete-through day.
        most: about the most rows.
        seed: seed of the draw of decision days.
        progress: receives the progress.

    Raises:
        Conflict: the second pass read other patients than the first.
    """
    complete_days = complete[complete != NO_DAY]
    last = int(complete_days.max()) if complete_days.size else 0
    first = last - int(years * DAYS_PER_YEAR)
    counts = FacilityCounts(first, last, rules)
    units_of_chunk: list[Units] = []
    people: list[npt.NDArray[np.object_]] = []
    for timelines in chunks():
        counts.add(timelines)
        chunk_units = units(timelines, rules, complete, seed=seed)
        units_of_chunk.append(chunk_units.where(chunk_units.known_day >= first))
        people.append(timelines.patient_uuid)
        _report(progress, sum(map(len, units_of_chunk)), None, "decisions drawn")
    rates = counts.rates()
    total = sum(map(len, units_of_chunk))
    share = min(1.0, most / max(total, 1))
    parts: list[Dataset] = []
    before = units_done = 0
    for timelines, chunk_units, uuids in zip(chunks(), units_of_chunk, people, strict=False):
        if not np.array_equal(timelines.patient_uuid, uuids):
            detail = "patients were added or removed while the records were read"
            raise Conflict(detail, remedy="try again when the import is done")
        sample = chunk_units if share >= 1 else chunk_units.where(_is_in_sample(timelines, share)[chunk_units.patient])
        parts.extend(_part(timelines, sample, rules, rates, before))
        before += len(timelines)
        units_done += len(chunk_units)
        _report(progress, units_done, total, "features computed")
    return _concatenate(parts), rates


def _report(progress: ProgressCallback | None, done: int, total: int | None, note: str) -> None:
    if progress is not None:
        progress(done, total, note)


def _is_in_sample(timelines: Timelines, share: float) -> npt.NDArray[np.bool_]:
    """Return a mask of the patients in the sample, by a hash of their UUID."""
    hashes = [int.from_bytes(hashlib.blake2b(uuid.bytes, digest_size=8).digest()) for uuid in timelines.patient_uuid]
    return np.array(hashes, dtype=np.float64) < share * 2.0**64


def _part(
    timelines: Timelines, chunk_units: Units, rules: CohortSettings, rates: FacilityRates, before: int
) -> Iterator[Dataset]:
    for start in range(0, len(chunk_units), UNITS_AT_ONCE):
        some = chunk_units.where(np.arange(start, min(start + UNITS_AT_ONCE, len(chunk_units))))
        snapshots = some.snapshot(timelines)
        matrix = compute(snapshots, episodes(snapshots, rules), pending_of(some), rules, rates)
        birth = latest_profile(snapshots, snapshots.profiles.birth, NO_DAY).astype(np.int64)
        age = np.where(birth == NO_DAY, np.nan, (some.known_day - birth) / DAYS_PER_YEAR)
        band = np.where(np.isnan(age), len(AGE_BANDS) - 1, np.searchsorted(AGE_EDGES, age, side="right"))
        yield Dataset(
            X=matrix.astype(np.float32),
            y=some.label,
            outcome=some.outcome,
            patient=some.patient + before,
            day=some.known_day.astype(np.int64),
            deadline=some.deadline.astype(np.int64),
            facility=snapshots.facility.astype(np.int64),
            sex=np.clip(latest_profile(snapshots, snapshots.profiles.sex, 0), 0, len(SEXES) - 1).astype(np.int8),
            age_band=band.astype(np.int8),
            assumed=_has_assumed(snapshots),
            facilities=timelines.facilities,
        )


def _has_assumed(snapshots: Timelines) -> npt.NDArray[np.bool_]:
    """Rows with any contact whose day of knowledge is assumed."""
    total = np.concatenate(([0], np.cumsum(snapshots.contacts.assumed)))
    return np.asarray(total[snapshots.contacts.offsets[1:]] > total[snapshots.contacts.offsets[:-1]])


def _concatenate(parts: list[Dataset]) -> Dataset:
    if not parts:
        empty = np.zeros(0, dtype=np.int64)
        small = np.zeros(0, dtype=np.int8)
        matrix = np.zeros((0, len(columns())), dtype=np.float32)
        none = np.zeros(0, dtype=np.bool_)
        return Dataset(matrix, small, small, empty, empty, empty, empty, small, small, none)
    arrays = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts])
        for f in fields(Dataset)
        if f.name != "facilities"
    }
    return Dataset(**arrays, facilities=parts[-1].facilities)
