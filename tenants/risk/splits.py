"""Folds in the order of time: train, calibrate, test.

A decision belongs to a fold only if it was made after the fold began, and its outcome was known before the next fold
began. Decisions that cross a border are left out, so no fold knows the outcomes of another fold's decisions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tenants.cohort.timelines import to_date

if TYPE_CHECKING:
    import numpy.typing as npt

    from tenants.risk.dataset import Dataset

    Mask = npt.NDArray[np.bool_]

TEST_SHARE: Final = 0.25
CALIBRATE_SHARE: Final = 0.15
HORIZON_QUANTILE: Final = 0.9
UNSEEN_SHARE: Final = 0.2
FEWEST_TO_TRAIN: Final = 0.4
"""The least share of the rows that longer later folds may leave to training. Below it the folds are cut by share
alone.
"""
FEWEST_FACILITIES: Final = 5
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """Rows of each fold, and the days on which the two later folds begin.

    Attributes:
        train, calibrate, test: masks over the dataset; labelled rows only.
        calibrate_from: first day of decisions of the calibration fold; training outcomes were known before it.
        test_from: first day of decisions of the test fold; calibration outcomes were known before it.
        purged: number of labelled rows that cross a border and are in no fold.
    """

    train: Mask
    calibrate: Mask
    test: Mask
    calibrate_from: int
    test_from: int
    purged: int

    def to_json(self, data: Dataset) -> dict[str, Any]:
        """Return sizes and periods of the folds."""
        return {
            "train": _described(data, self.train),
            "calibrate": _described(data, self.calibrate),
            "test": _described(data, self.test),
            "purged": self.purged,
        }


def split(data: Dataset, *, test_share: float = TEST_SHARE, calibrate_share: float = CALIBRATE_SHARE) -> Folds:
    """Cut the data by the day on which the outcome was known.

    The borders leave about these shares of the rows to the later folds. A later fold is never shorter than twice the
    time in which nine in ten outcomes become known: a shorter fold would have only quick outcomes.
    """
    labelled = data.labelled
    if not labelled.any():
        none = np.zeros(len(data), dtype=np.bool_)
        return Folds(none, none, none, 0, 0, 0)
    deadline = np.sort(data.deadline[labelled])
    horizon = int(np.quantile(data.deadline[labelled] - data.day[labelled], HORIZON_QUANTILE))
    end = int(deadline[-1])

    def border(share: float, latest: int) -> int:
        return min(int(deadline[int((len(deadline) - 1) * (1 - share))]), latest)

    test_from = border(test_share, end - 2 * horizon)
    calibrate_from = border(test_share + calibrate_share, test_from - 2 * horizon)
    if np.searchsorted(deadline, calibrate_from) < FEWEST_TO_TRAIN * len(deadline):
        # The history is too short for that: cut by share alone; the caller sees how little is left.
        test_from = border(test_share, end)
        calibrate_from = border(test_share + calibrate_share, test_from)
    train = labelled & (data.deadline < calibrate_from)
    calibrate = labelled & (data.day >= calibrate_from) & (data.deadline < test_from)
    test = labelled & (data.day >= test_from)
    purged = int(labelled.sum() - train.sum() - calibrate.sum() - test.sum())
    return Folds(train, calibrate, test, calibrate_from, test_from, purged)


def unseen_patients(data: Dataset, seed: int = 0, share: float = UNSEEN_SHARE) -> Mask:
    """Rows of patients kept out of training, to measure the model on people it has never seen."""
    return _hash_sample(data.patient, seed, share)


def unseen_facilities(data: Dataset, seed: int = 0, share: float = UNSEEN_SHARE) -> Mask | None:
    """Rows of facilities kept out of training; None where there are too few facilities."""
    present = np.unique(data.facility)
    if present.size < FEWEST_FACILITIES:
        return None
    order = np.argsort(_hash(present, seed))
    count = max(1, round(share * present.size))
    return np.isin(data.facility, present[order[:count]])


def _hash_sample(group: npt.NDArray[np.int64], seed: int, share: float) -> Mask:
    return np.asarray(_hash(group, seed).astype(np.float64) < share * 2.0**64)


def _hash(group: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.uint64]:
    state = (group.astype(np.uint64) + np.uint64(seed + 1)) * _MIX
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(state ^ (state >> np.uint64(31)), dtype=np.uint64)


def _described(data: Dataset, mask: Mask) -> dict[str, Any]:
    if not mask.any():
        return {"decisions": 0, "patients": 0, "interruptions": 0}
    positives = int((data.y[mask] == 1).sum())
    return {
        "decisions": int(mask.sum()),
        "patients": int(np.unique(data.patient[mask]).size),
        "interruptions": positives,
        "base_rate": positives / int(mask.sum()),
        "first_decision": _day(data.day[mask].min()),
        "last_decision": _day(data.day[mask].max()),
        "last_outcome_known": _day(data.deadline[mask].max()),
    }


def _day(number: np.integer[Any]) -> str:
    day: date | None = to_date(int(number))
    return day.isoformat() if day else ""
