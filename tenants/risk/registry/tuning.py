"""Search parameters for a kind of model: bounded in time, and the same for the same data, seed and number of trials.

The parameters of the plugin stay unless others are certainly better on patients left out, so tuning never makes a model
more complicated for a difference that chance can make.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plugins.sdk import TrainingData
from tenants.risk.failures import ModelFailed, contained
from tenants.risk.metrics import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plugins.sdk import FittedModel

LEFT_OUT: Final = 0.25
"""Share of the patients on whom parameters are compared."""
FEWEST_PATIENTS: Final = 200
SECONDS: Final = 900.0
"""Seconds after which no further trial of a kind begins. The number of trials that were made is recorded."""
SPACES: Final[Mapping[str, Mapping[str, tuple[str, float, float]]]] = {
    "additive": {"max_bins": ("int", 8, 48), "min_rows": ("int", 20, 200)},
    "boosting": {
        "num_leaves": ("int", 4, 31),
        "learning_rate": ("log", 0.02, 0.2),
        "l2": ("log", 0.5, 50.0),
        "feature_share": ("float", 0.4, 1.0),
    },
}
"""Kind of model -> parameter -> how it is drawn, and its bounds. Other plugins' models are fitted as they are."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """The result of a search.

    Attributes:
        parameters: those to fit with; empty: the plugin's own.
        trials: number of sets of parameters that were tried.
        seed: of the search.
        gain: decrease of the log loss against the plugin's own parameters on patients left out, with its interval.
        tried: parameters and log loss of each trial, in order.
    """

    parameters: Mapping[str, Any]
    trials: int
    seed: int
    gain: Mapping[str, float | None] = field(default_factory=dict)
    tried: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the search as JSON."""
        return {
            "parameters": dict(self.parameters),
            "trials": self.trials,
            "seed": self.seed,
            "gain": dict(self.gain),
            "tried": [dict(each) for each in self.tried],
        }


def tune(
    kind: str,
    data: TrainingData,
    fit: Callable[[TrainingData, Mapping[str, Any]], FittedModel],
    trials: int,
    seed: int,
    seconds: float = SECONDS,
) -> Tuning:
    """Search parameters of one kind of model.

    Args:
        kind: the kind, a key of ``SPACES``; any other kind is not tuned.
        data: the train fold alone.
        fit: fits the kind with parameters.
        trials: the most sets of parameters to try.
        seed: the same seed gives the same search.
        seconds: no trial begins later.
    """
    space = SPACES.get(kind)
    split = None if space is None or trials < 1 else _split(data, seed)
    if space is None or split is None:
        return Tuning({}, 0, seed)
    inside, left_out = split
    own = _predictions(kind, fit, inside, left_out, {})
    if own is None:
        return Tuning({}, 0, seed)
    study, until = _study(seed), monotonic() + seconds
    distributions = _distributions(space)
    tried: list[dict[str, Any]] = []
    best: tuple[float, dict[str, Any], Any] = (_loss(own, left_out), {}, own)
    while len(tried) < trials and monotonic() < until:
        trial = study.ask(distributions)
        parameters = dict(trial.params)
        predictions = _predictions(kind, fit, inside, left_out, parameters)
        loss = None if predictions is None else _loss(predictions, left_out)
        study.tell(trial, *_result(loss))
        tried.append({"parameters": parameters, "log_loss": loss})
        if loss is not None and loss < best[0]:
            best = (loss, parameters, predictions)
    if not best[1]:
        return Tuning({}, len(tried), seed, {}, tuple(tried))
    gain = compare(best[2], own, left_out.y, left_out.group, seed=seed).differences["log_loss"]
    is_better = gain.high is not None and gain.high < 0
    return Tuning(best[1] if is_better else {}, len(tried), seed, gain.to_json(), tuple(tried))


def _study(seed: int) -> Any:  # noqa: ANN401 - optuna's
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), direction="minimize")


def _result(loss: float | None) -> tuple[Any, ...]:
    import optuna

    return (None, optuna.trial.TrialState.FAIL) if loss is None else (loss,)


def _distributions(space: Mapping[str, tuple[str, float, float]]) -> dict[str, Any]:
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        name: IntDistribution(int(low), int(high)) if how == "int" else FloatDistribution(low, high, log=how == "log")
        for name, (how, low, high) in space.items()
    }


def _split(data: TrainingData, seed: int) -> tuple[TrainingData, TrainingData] | None:
    """The rows to fit on and those to compare on, patient by patient; None where there are too few."""
    patients, index = np.unique(data.group, return_inverse=True)
    if len(patients) < FEWEST_PATIENTS:
        return None
    order = np.random.default_rng(seed).permutation(len(patients))
    out = (order < round(LEFT_OUT * len(patients)))[index]
    if any(not 0 < int(data.y[mask].sum()) < int(mask.sum()) for mask in (out, ~out)):
        return None
    inside, left_out = (
        TrainingData(X=data.X[mask], y=data.y[mask], group=data.group[mask], features=data.features)
        for mask in (~out, out)
    )
    return inside, left_out


def _predictions(
    kind: str,
    fit: Callable[[TrainingData, Mapping[str, Any]], FittedModel],
    inside: TrainingData,
    left_out: TrainingData,
    parameters: Mapping[str, Any],
) -> Any:  # noqa: ANN401 - probabilities, or None
    """Probabilities of a fit for the patients left out; None if it fails."""
    try:
        with contained(kind, "be fitted with other parameters"):
            return np.asarray(fit(inside, parameters).predict(left_out.X), dtype=np.float64)
    except ModelFailed:
        return None


def _loss(probability: Any, data: TrainingData) -> float:  # noqa: ANN401 - an array
    p = np.clip(probability, 1e-9, 1 - 1e-9)
    return float(-np.mean(np.where(data.y == 1, np.log(p), np.log1p(-p))))
