"""Compare the people of a day with those of earlier days: features, scores, what is recorded, and each facility."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tenants.risk.drift.samples import joined, one_day_each
from tenants.risk.drift.stability import binning, moved_by_chance, stability_index
from tenants.risk.input_list import FEATURES, THEME_OF
from tenants.risk.input_sets import columns
from tenants.risk.pooling import holm, pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from plugins.sdk import FeatureSpec
    from tenants.risk.drift.samples import DaySample

    Floats = npt.NDArray[np.float64]

LEVEL: Final = 0.01
"""The chance that a comparison of undisturbed data finds anything, over all its tests."""
LARGE_INDEX: Final = 0.2
"""A stability index from which a column counts as moved; credit scoring uses the same limit."""
USUAL_FACTOR: Final = 1.5
"""A column that moves anyway, such as time on treatment, must move this many times as far as it did before."""
LARGE_DIFFERENCE: Final = 0.5
"""The same for the mean of one facility, in standard deviations, after pooling."""
LARGE_MISSING: Final = 0.1
"""A share of missing values that has changed by this much counts as a change of the records."""
FEWEST_PEOPLE: Final = 50
"""People that a comparison needs on either side."""
FEWEST_OF_FACILITY: Final = 20
_HAS_NOT_RECORDED: Final = frozenset(
    spec.name for spec in FEATURES if spec.categories and spec.categories[0] == "not recorded"
)
NOT_COMPARED: Final = frozenset({"calendar", "facility"})
"""Themes that are not compared. The calendar moves by itself, and a facility's rate is no fact about one person."""


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """What became of one column.

    Attributes:
        name, theme: the feature; ``risk`` for the scores.
        index: stability index, without what chance explains.
        usual_index: the largest one among the earlier days.
        p: adjusted p-value of the two-sample test.
        missing_before, missing_now: shares of missing values.
        drifted: whether it has certainly and greatly moved.
        records: whether the share of missing values explains it: people look as before, but less is recorded.
    """

    name: str
    theme: str
    index: float
    usual_index: float
    p: float
    missing_before: float
    missing_now: float
    drifted: bool
    records: bool


@dataclass(frozen=True, slots=True)
class FacilityDrift:
    """One column at one facility that moved while the others' did not.

    Attributes:
        facility: index of the facility.
        people: those of the day.
        name: the feature; ``risk`` for the scores.
        missing: whether the share of missing values moved, else the mean.
        difference: its own change less the others', in standard deviations or as a share.
        pooled: the same, drawn towards 0 as far as chance explains it.
        p: adjusted p-value.
    """

    facility: int
    people: int
    name: str
    missing: bool
    difference: float
    pooled: float
    p: float


@dataclass(frozen=True, slots=True)
class DriftComparison:
    """The comparison of a day with earlier ones.

    Attributes:
        day: day number.
        earlier_days: those that are its reference.
        people: people of the day.
        enough: whether there are enough people on either side.
        columns: every compared feature, then the scores.
        facilities: what moved at single facilities.
    """

    day: int
    earlier_days: tuple[int, ...]
    people: int
    enough: bool
    columns: tuple[ColumnDrift, ...]
    facilities: tuple[FacilityDrift, ...]

    @property
    def features(self) -> list[ColumnDrift]:
        """The features that have drifted, the farthest first; without those of which less or more is recorded."""
        moved = [c for c in self.columns if c.drifted and not c.records and c.name != "risk"]
        return sorted(moved, key=lambda column: -column.index)

    @property
    def records(self) -> list[ColumnDrift]:
        """The features of which certainly and greatly less or more is recorded."""
        moved = [c for c in self.columns if c.drifted and c.records]
        return sorted(moved, key=lambda column: -abs(column.missing_now - column.missing_before))

    @property
    def scores(self) -> ColumnDrift | None:
        """The scores, if they have drifted."""
        return next((c for c in self.columns if c.drifted and c.name == "risk"), None)

    def to_json(self) -> dict[str, Any]:
        """The comparison as a JSON object; facilities are indices."""
        return {
            "people": self.people,
            "enough": self.enough,
            "columns": [asdict(column) for column in self.columns],
            "facilities": [asdict(facility) for facility in self.facilities],
        }


def compare_days(current: DaySample, earlier: Sequence[DaySample]) -> DriftComparison:
    """Compare the sample of a day with samples of earlier days.

    A column has drifted if three things hold. The two-sample test finds it, with its p-value adjusted for the number of
    columns. The stability index is large. And it is clearly larger than any earlier day's, compared with the others.

    Args:
        current: scored sample of the day.
        earlier: scored samples of earlier days, at least two for a yardstick.
    """
    earlier = [sample for sample in earlier if len(sample) >= FEWEST_PEOPLE]
    day = int(current.day[0]) if len(current) else 0
    days = tuple(int(sample.day[0]) for sample in earlier)
    if len(current) < FEWEST_PEOPLE or len(earlier) < 2:  # noqa: PLR2004 - one is no yardstick
        return DriftComparison(day, days, len(current), enough=False, columns=(), facilities=())
    pooled = joined(earlier)
    reference = one_day_each(pooled)
    names, kinds = _compared()
    tables = _tables(current, pooled, reference, names, kinds)
    adjusted = holm([p for _index, _usual, p in tables])
    drifts = tuple(
        _column(name, tables[place], float(adjusted[place]), _of(reference, name, kinds), _of(current, name, kinds))
        for place, name in enumerate(names)
    )
    return DriftComparison(
        day, days, len(current), enough=True, columns=drifts, facilities=_facilities(current, reference, names, kinds)
    )


def _compared() -> tuple[list[str], dict[str, tuple[int, FeatureSpec | None]]]:
    """The compared columns by name, with their places; the scores last."""
    kinds: dict[str, tuple[int, FeatureSpec | None]] = {
        spec.name: (place, spec)
        for place, spec in enumerate(columns())
        if THEME_OF.get(spec.name, "calendar") not in NOT_COMPARED
    }
    kinds["risk"] = (-1, None)
    return list(kinds), kinds


def _of(sample: DaySample, name: str, kinds: dict[str, tuple[int, FeatureSpec | None]]) -> Floats:
    place = kinds[name][0]
    return sample.risk if place < 0 else sample.X[:, place]


def _tables(
    current: DaySample,
    pooled: DaySample,
    reference: DaySample,
    names: Sequence[str],
    kinds: dict[str, tuple[int, FeatureSpec | None]],
) -> list[tuple[float, float, float]]:
    """For each column its index, the largest index of the earlier days, and the p-value of the test."""
    days = np.unique(pooled.day)
    tables = []
    for name in names:
        spec = kinds[name][1]
        categories = len(spec.categories) if spec is not None else 0
        all_days, now = _of(pooled, name, kinds), _of(current, name, kinds)
        bins = binning(all_days, categories)
        by_day = np.stack([bins.counts(all_days[pooled.day == each]) for each in days])
        index = stability_index(by_day.sum(axis=0), bins.counts(now))
        usual = max(stability_index(by_day.sum(axis=0) - own, own) for own in by_day)
        tables.append((index, usual, moved_by_chance(_of(reference, name, kinds), now, categories)))
    return tables


def _column(name: str, table: tuple[float, float, float], p: float, before: Floats, now: Floats) -> ColumnDrift:
    index, usual, _raw = table
    missing_before, missing_now = float(_missing(name, before).mean()), float(_missing(name, now).mean())
    drifted = p < LEVEL and index >= max(LARGE_INDEX, USUAL_FACTOR * usual)
    return ColumnDrift(
        name=name,
        theme=THEME_OF.get(name, ""),
        index=index,
        usual_index=usual,
        p=p,
        missing_before=missing_before,
        missing_now=missing_now,
        drifted=drifted,
        records=abs(missing_now - missing_before) >= LARGE_MISSING,
    )


def _facilities(
    current: DaySample,
    reference: DaySample,
    names: Sequence[str],
    kinds: dict[str, tuple[int, FeatureSpec | None]],
) -> tuple[FacilityDrift, ...]:
    """What moved at single facilities: their change is compared with that of the other facilities."""
    size = len(current.facilities)
    now_people = np.bincount(current.facility, minlength=size)
    before_people = np.bincount(reference.facility, minlength=size)
    places = np.flatnonzero(np.minimum(now_people, before_people) >= FEWEST_OF_FACILITY)
    if places.size < 3:  # noqa: PLR2004 - with fewer there are no others to compare with
        return ()
    changed: list[tuple[int, str, bool, float, float, float]] = []
    for name in names:
        before, now = _of(reference, name, kinds), _of(current, name, kinds)
        for missing in (False, True):
            values = (_missing(name, before), _missing(name, now)) if missing else (before, now)
            changes, variances = _changes(
                values[0], reference.facility, values[1], current.facility, places, missing=missing
            )
            usable = np.flatnonzero(np.isfinite(changes) & (variances > 0))
            if usable.size < 3:  # noqa: PLR2004 - as above
                continue
            result = pool(changes[usable], variances[usable])
            changed += [
                (int(places[u]), name, missing, float(changes[u] - result.mean), float(v - result.mean), float(d))
                for u, v, d in zip(usable, result.value, result.distance, strict=True)
            ]
    adjusted = holm([_two_sided(distance) for *_rest, distance in changed])
    return tuple(
        FacilityDrift(facility, int(now_people[facility]), name, missing, difference, pooled, float(p))
        for (facility, name, missing, difference, pooled, _), p in zip(changed, adjusted, strict=True)
        if p < LEVEL and abs(pooled) >= (LARGE_MISSING if missing else LARGE_DIFFERENCE)
    )


def _changes(
    before: Floats,
    before_facility: npt.NDArray[np.int64],
    now: Floats,
    now_facility: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    *,
    missing: bool,
) -> tuple[Floats, Floats]:
    """The change of each facility's mean, in standard deviations of all, or of its share of missing values."""
    known = ~np.isnan(before)
    scale = 1.0 if missing else float(before[known].std()) if known.any() else 0.0
    changes, variances = np.full(places.size, np.nan), np.zeros(places.size)
    if scale == 0:
        return changes, variances
    for row, place in enumerate(places):
        own, own_now = before[before_facility == place], now[now_facility == place]
        own, own_now = own[~np.isnan(own)], own_now[~np.isnan(own_now)]
        if min(own.size, own_now.size) < FEWEST_OF_FACILITY:
            continue
        changes[row] = (own_now.mean() - own.mean()) / scale
        if missing:  # a share near 0 or 1 has a variance near 0 by chance: that of a share with one more of either kind
            share = (np.r_[own, own_now].sum() + 1) / (own.size + own_now.size + 2)
            spread = share * (1 - share)
        else:
            spread = max(float(np.var(np.r_[own, own_now])) / scale**2, 0.05)
        variances[row] = spread * (1 / own.size + 1 / own_now.size)
    return changes, variances


def _missing(name: str, column: Floats) -> Floats:
    """1 where a value is missing: not known, or of the category "not recorded"."""
    is_missing = np.isnan(column)
    if name in _HAS_NOT_RECORDED:
        is_missing |= column == 0
    return is_missing.astype(np.float64)


def _two_sided(distance: float) -> float:
    from scipy.special import ndtr

    return float(2 * ndtr(-abs(distance)))


__all__ = ["ColumnDrift", "DriftComparison", "FacilityDrift", "compare_days"]
