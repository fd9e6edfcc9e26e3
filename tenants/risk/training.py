"""Fit every kind of model, calibrate on later time, measure on still later time, and choose. It uses no database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plugins.sdk import TrainingData
from tenants.risk import naive, reliability
from tenants.risk.calibration import Calibrator, fit_calibrator
from tenants.risk.evaluation import PRIMARY, HeldOutFigures, gates, measure, naive_evaluation
from tenants.risk.failures import ModelFailed, contained
from tenants.risk.input_list import NAMES
from tenants.risk.input_sets import FEATURE_SET, FeatureSet, select
from tenants.risk.metrics import Comparison, Evaluation, compare, evaluate
from tenants.risk.splits import Folds, split, unseen_facilities, unseen_patients

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from core.telemetry.progress import LineCallback
    from plugins.sdk import Artifact, FittedModel
    from tenants.risk.dataset import Dataset

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

SEED: Final = 20
FEWEST: Final[Mapping[str, tuple[int, int]]] = {"train": (500, 50), "calibrate": (100, 20), "test": (200, 30)}
"""The fewest decisions, and outcomes of either kind, that a fold needs."""
SIMPLER_FIRST: Final = ("additive", "boosting")
"""Kinds of model, simplest first. Models of other plugins follow by name."""

Fit = Callable[[str, TrainingData, int], "tuple[Artifact, FittedModel, str]"]
"""Fits a kind of model in its own process: name, data, seed -> artifact, model, version of the plugin."""


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
    reliability: reliability.Reliability
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


def train(
    data: Dataset, fit: Fit, names: Sequence[str], facility_names: Mapping[int, str], say: LineCallback = lambda _: None
) -> TrainingOutcome:
    """Fit, calibrate, measure and choose.

    Args:
        data: resolved prediction units.
        fit: fits one kind of model.
        names: kinds of model, any order.
        facility_names: index of the facility -> name for readers.
        say: receives a note before each step.
    """
    folds = split(data)
    young = too_young(data, folds)
    if young:
        rule = _naive(data, data.labelled, None, facility_names)
        reason = f"too young to train: {young}. The naive rule (late last time) serves instead"
        return TrainingOutcome([rule], rule, reason, young, folds.to_json(data), None, {}, data.outcomes(), None)
    candidates = [_naive(data, folds.train | folds.calibrate, folds.test, facility_names)]
    best: Candidate | None = None
    failures: list[Failure] = []
    for name in sorted(names, key=_simplicity):
        say(f"fitting {name}")
        try:
            candidate = _candidate(name, data, folds, fit, facility_names, best)
        except ModelFailed as error:
            failures.append(Failure(name, error.detail))
            say(f"{name} failed; the other models continue")
            continue
        candidates.append(candidate)
        if candidate.gates["passed"] and (best is None or _beats(candidate)):
            best = candidate
    choice = best or candidates[0]
    say("evaluating on unseen patients and facilities")
    return TrainingOutcome(
        candidates=candidates,
        choice=choice,
        why=_why(choice, candidates, failures),
        too_young="",
        folds=folds.to_json(data),
        naive=naive_evaluation(data.where(folds.test), SEED),
        unseen=_unseen(choice, data, folds, fit),
        outcomes=data.where(data.day >= folds.test_from).outcomes(),
        test_from=folds.test_from,
        failures=failures,
    )


def too_young(data: Dataset, folds: Folds) -> str:
    """Why the tenant's history is too short to train on; empty when it is long enough."""
    for name, (rows, outcomes) in FEWEST.items():
        mask: Mask = getattr(folds, name)
        positives = int((data.y[mask] == 1).sum())
        decisions = int(mask.sum())
        if decisions < rows or min(positives, decisions - positives) < outcomes:
            return (
                f"to {name}, there are {decisions} resolved decisions with {positives} interruptions, but at least "
                f"{rows} with {outcomes} of either outcome are needed"
            )
    return ""


def training_data(data: Dataset, mask: Mask) -> TrainingData:
    """The rows in the form of the plugin's interface."""
    return TrainingData(
        X=_columns(data.where(mask)), y=data.y[mask], group=data.patient[mask], features=FEATURE_SET.features
    )


def _columns(data: Dataset) -> Floats:
    """The columns that a new model takes."""
    return select(FEATURE_SET.features).of(data.X)


def _simplicity(name: str) -> tuple[int, str]:
    return (SIMPLER_FIRST.index(name) if name in SIMPLER_FIRST else len(SIMPLER_FIRST), name)


def _beats(candidate: Candidate) -> bool:
    return candidate.against_simpler is not None and candidate.against_simpler.beats("average_precision")


def _naive(data: Dataset, history: Mask, test: Mask | None, facility_names: Mapping[int, str]) -> Candidate:
    column = NAMES.index(naive.COLUMN)
    model = naive.fit(data.X[history, column], data.y[history])
    figures, table = None, reliability.EMPTY
    if test is not None:
        held_out = data.where(test)
        risk = model.predict(held_out.X.astype(np.float64))
        table = reliability.measure(risk, held_out.y, held_out.patient)
        figures = measure(risk, held_out, facility_names, SEED)
    reason = "the naive rule is what others are measured against; it serves where none passes"
    verdict = {"passed": False, "why": reason}
    return Candidate(
        naive.NAME, naive.VERSION, None, model, None, table, figures, verdict, FEATURE_SET, model.summary()
    )


def _candidate(
    name: str, data: Dataset, folds: Folds, fit: Fit, facility_names: Mapping[int, str], best: Candidate | None
) -> Candidate:
    later, held_out = data.where(folds.calibrate), data.where(folds.test)
    matrix = _columns(held_out)
    with contained(name, "be fitted and to score held-out decisions"):
        artifact, model, version = fit(name, training_data(data, folds.train), SEED)
        raw_later, raw = _probabilities(model, _columns(later)), _probabilities(model, matrix)
        summary = dict(model.summary())
        if tuple(model.features) != FEATURE_SET.features:
            message = "the model's features are not those that it was fitted on, in their order"
            raise ValueError(message)
    calibrator = fit_calibrator(raw_later, later.y, later.patient, seed=SEED)
    risk = calibrator.apply(raw)
    figures = measure(risk, held_out, facility_names, SEED)
    against = None
    if best is not None:
        against = compare(risk, best.risk(matrix), held_out.y, held_out.patient, seed=SEED)
    table = reliability.measure(risk, held_out.y, held_out.patient)
    return Candidate(
        name, version, artifact, model, calibrator, table, figures, gates(figures), FEATURE_SET, summary, against
    )


def _probabilities(model: FittedModel, X: Floats) -> Floats:
    """Return the model's probabilities, checked.

    A wrong answer thus counts as a failure of the model, not of its reader.
    """
    raw = np.asarray(model.predict(X), dtype=np.float64)
    if raw.shape != (len(X),) or not ((raw >= 0) & (raw <= 1)).all():
        message = "the model returned something other than a probability for each decision"
        raise ValueError(message)
    return raw


def _why(choice: Candidate, candidates: Sequence[Candidate], failures: Sequence[Failure]) -> str:
    if choice.name == naive.NAME:
        failed = "; ".join(
            [
                f"{c.name}: "
                + ", ".join(k for k, gate in c.gates.items() if isinstance(gate, dict) and not gate["passed"])
                for c in candidates[1:]
            ]
            + [f"{failure.name}: could not be trained" for failure in failures]
        )
        return f"no fitted model passes its gates ({failed}): the naive rule serves"
    if choice.against_simpler is not None:
        return f"{choice.name} has the higher average precision than the simpler model, with an interval above zero"
    other_names = [c.name for c in candidates if c.against_simpler is not None and not _beats(c)]
    note = f"; {' and '.join(other_names)} did no better beyond doubt" if other_names else ""
    return f"{choice.name} is the simplest that passes its gates and beats the naive rule{note}"


def _unseen(choice: Candidate, data: Dataset, folds: Folds, fit: Fit) -> dict[str, Any]:
    """Fit the chosen kind without some patients or facilities, and measure it on those alone in the test fold."""
    if choice.name == naive.NAME:
        return {}
    evaluations: dict[str, Any] = {}
    for subset, kept_out in (("patients", unseen_patients(data, SEED)), ("facilities", unseen_facilities(data, SEED))):
        if kept_out is None:
            evaluations[subset] = {"not_measured": "too few facilities to keep some out"}
            continue
        inside, later, held_out = (
            folds.train & ~kept_out,
            folds.calibrate & ~kept_out,
            folds.test & kept_out,
        )
        if any(not _has_both_outcomes(data, mask) for mask in (inside, later, held_out)):
            evaluations[subset] = {"not_measured": "too few interruptions among those kept out"}
            continue
        rows, unseen = data.where(later), data.where(held_out)
        try:
            with contained(choice.name, f"be fitted without some {subset}"):
                model = fit(choice.name, training_data(data, inside), SEED)[1]
                raw_later = _probabilities(model, _columns(rows))
                raw = _probabilities(model, _columns(unseen))
        except ModelFailed as error:
            evaluations[subset] = {"not_measured": error.detail}
            continue
        calibrator = fit_calibrator(raw_later, rows.y, rows.patient, seed=SEED)
        risk = calibrator.apply(raw)
        evaluations[subset] = evaluate(risk, unseen.y, unseen.patient, seed=SEED).to_json()
    return evaluations


def _has_both_outcomes(data: Dataset, mask: Mask) -> bool:
    positives = int((data.y[mask] == 1).sum())
    fewest = 10
    return min(positives, int(mask.sum()) - positives) >= fewest


__all__ = ["PRIMARY", "SEED", "Candidate", "TrainingOutcome", "too_young", "train", "training_data"]
