"""What a training works with and returns: a way to fit, candidates with their figures, failures, and the choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugins.sdk import TrainingData

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from plugins.sdk import Artifact, FittedModel
    from tenants.risk.calibration import Calibrator
    from tenants.risk.evaluation import HeldOutFigures
    from tenants.risk.input_sets import FeatureSet
    from tenants.risk.metrics import Comparison, Evaluation
    from tenants.risk.reliability import Reliability

    Floats = npt.NDArray[np.float64]

Fit = Callable[[str, TrainingData, int], "tuple[Artifact, FittedModel, str]"]
"""Fits a kind of model in its own process: name, data, seed -> artifact, model, version of the plugin."""
Prepare = Callable[[str, TrainingData], None]
"""Searches parameters of a kind of model, on the train fold alone, before it is fitted."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fitted model with all its figures.

    Attributes:
        name: name of the plugin's model, or ``naive``.
        plugin_version: version of the code.
        artifact: the model as data; None for the naive rule.
        model: the model that predicts.
        calibrator: None for the naive rule, whose shares are observed ones.
        reliability: outcomes of people with such scores on held-out time.
        figures: figures on held-out time; None where there was too little to measure.
        gates: whether it may be promoted.
        feature_set: the columns that the model takes, in order.
        summary: the model's own summary for its card.
        against_simpler: difference to the best simpler model.
    """

    name: str
    plugin_version: str
    artifact: Artifact | None
    model: FittedModel
    calibrator: Calibrator | None
    reliability: Reliability
    figures: HeldOutFigures | None
    gates: Mapping[str, Any]
    feature_set: FeatureSet
    summary: Mapping[str, Any]
    against_simpler: Comparison | None = None

    def risk(self, X: Floats) -> Floats:
        """Return calibrated probabilities."""
        raw = self.model.predict(X)
        return raw if self.calibrator is None else self.calibrator.apply(raw)


@dataclass(frozen=True, slots=True)
class Failure:
    """A kind of model that could not be fitted or measured, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """The result of a training.

    Attributes:
        candidates: the naive rule first, then simplest first.
        choice: the candidate to serve.
        why: the reason of the choice, in words.
        too_young: why no model was fitted; empty where models were.
        folds: sizes and periods.
        naive: the naive rule's ranking on held-out time.
        unseen: evaluations of the chosen kind on patients and facilities kept out of training.
        outcomes: outcomes of the test fold's period, with the competing ones.
        failures: kinds of model that failed; the training continues without them.
    """

    candidates: Sequence[Candidate]
    choice: Candidate
    why: str
    too_young: str
    folds: Mapping[str, Any]
    naive: Evaluation | None
    unseen: Mapping[str, Any]
    outcomes: Mapping[str, int]
    test_from: int | None
    failures: Sequence[Failure] = ()
