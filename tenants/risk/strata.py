"""The figures by facility, sex and age band. Small groups are pooled: a few people prove nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tenants.risk.metrics import REPLICATES, Evaluation, evaluate

POOLED = "smaller groups together"
MIN_PATIENTS = 50
MIN_OUTCOMES = 10


@dataclass(frozen=True, slots=True)
class GroupEvaluation:
    """One group's figures.

    Attributes:
        label: the group's name, or :data:`POOLED`.
        groups: number of groups in it; 1 unless pooled.
        small: whether even the pool is below the limits, so that its figures are only a hint.
        evaluation: the figures.
    """

    label: str
    groups: int
    small: bool
    evaluation: Evaluation

    def to_json(self) -> dict[str, object]:
        """The group as a JSON object."""
        return {"label": self.label, "groups": self.groups, "small": self.small, **self.evaluation.to_json()}


def evaluate_groups(  # noqa: PLR0913 - as evaluate, and the limits of a group
    score: ArrayLike,
    outcome: ArrayLike,
    patient: ArrayLike,
    labels: Mapping[str, ArrayLike],
    *,
    probability: bool = True,
    min_patients: int = MIN_PATIENTS,
    min_outcomes: int = MIN_OUTCOMES,
    replicates: int = REPLICATES,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, list[GroupEvaluation]]:
    """Compute the figures of a score within each group of each division. Capacity is taken within the group.

    Args:
        score: (n,), as :func:`tenants.risk.metrics.evaluate` takes it.
        outcome: (n,), 0 or 1.
        patient: (n,), the patient of each row.
        labels: division (``facility``, ``sex`` or ``age_band``) -> the label of each row.
        probability: false for a rule that only ranks.
        min_patients: groups with fewer patients are pooled.
        min_outcomes: groups with fewer rows of either outcome are pooled.
        replicates: bootstrap replicates.
        level: coverage of the intervals.
        seed: seed of the draws.

    Returns:
        For each division its groups, largest first, the pool last.

    Raises:
        ValueError: the labels of a division do not match the rows; or as :func:`tenants.risk.metrics.evaluate`.
    """
    scores, outcomes, patients = np.asarray(score), np.asarray(outcome), np.asarray(patient)
    result: dict[str, list[GroupEvaluation]] = {}
    for division, values in labels.items():
        names = np.asarray(values).astype(str)
        if names.shape != outcomes.shape:
            message = f"division {division!r} must have one label per row: {names.shape} against {outcomes.shape}"
            raise ValueError(message)
        unique, index = np.unique(names, return_inverse=True)
        fits = np.array([_fits(outcomes, patients, index == g, min_patients, min_outcomes) for g in range(len(unique))])
        parts = [(str(unique[g]), 1, index == g) for g in np.flatnonzero(fits)]
        parts.sort(key=lambda part: (-int(part[2].sum()), part[0]))
        if not fits.all():
            parts.append((POOLED, int((~fits).sum()), ~fits[index]))
        result[division] = [
            GroupEvaluation(
                label=label,
                groups=groups,
                small=not _fits(outcomes, patients, rows, min_patients, min_outcomes),
                evaluation=evaluate(
                    scores[rows],
                    outcomes[rows],
                    patients[rows],
                    probability=probability,
                    replicates=replicates,
                    level=level,
                    seed=seed,
                ),
            )
            for label, groups, rows in parts
        ]
    return result


def _fits(outcome: np.ndarray, patient: np.ndarray, rows: np.ndarray, min_patients: int, min_outcomes: int) -> bool:
    interrupted = int(outcome[rows].sum())
    stayed = int(rows.sum()) - interrupted
    return min(interrupted, stayed) >= min_outcomes and len(np.unique(patient[rows])) >= min_patients
