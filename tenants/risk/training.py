"""Fit every kind of model, calibrate on later time, measure on time later still, and choose: pure of any database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plugins.sdk import TrainingData
from tenants.risk import naive, reliability
from tenants.risk.calibration import Calibrator, fit_calibrator
from tenants.risk.evaluation import PRIMARY, Measured, gates, measure, naive_evaluation
from tenants.risk.failures import ModelFailed, contained
from tenants.risk.feature_list import NAMES
from tenants.risk.feature_sets import FEATURE_SET, FeatureSet, select
from tenants.risk.metrics import Comparison, Evaluation, compare, evaluate
from tenants.risk.splits import Folds, split, unseen_facilities, unseen_patients

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from plugins.sdk import Artifact, FittedModel
    from tenants.risk.dataset import Dataset

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

SEED: Final = 20
FEWEST: Final[Mapping[str, tuple[int, int]]] = {"train": (500, 50), "calibrate": (100, 20), "test": (200, 30)}
"""Decisions, and outcomes of either kind, below which a fold says too little."""
SIMPLER_FIRST: Final = ("additive", "boosting")
"""Simplest first; models of other plugins come after, by name."""

Fit = Callable[[str, TrainingData, int], "tuple[Artifact, FittedModel, str]"]
"""Fits a kind of model in a process of its own: name, data, seed -> artifact, model, version of the plugin."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fitted model with all that was measured of it.

    Attributes:
        name: of the plugin's model, or ``naive``.
        plugin_version: version of the code.
        artifact: the model as data; None for the naive rule.
        model: what predicts.
        calibrator: None for the naive rule, whose shares are observed ones.
        reliability: what came of people scored alike on held-out time.
        measured: figures on held-out time; None where there was too little to measure.
        gates: whether it may be promoted.
        feature_set: the columns that the model takes, in order.
        summary: what the model says of itself for its card.
        against_simpler: difference to the simpler model that was best so far.
    """

    name: str
    plugin_version: str
    artifact: Artifact | None
    model: FittedModel
    calibrator: Calibrator | None
    reliability: reliability.Reliability
    measured: Measured | None
    gates: Mapping[str, Any]
    feature_set: FeatureSet
    summary: Mapping[str, Any]
    against_simpler: Comparison | None = None

    def risk(self, X: Floats) -> Floats:
        """Calibrated probabilities."""
        raw = self.model.predict(X)
        return raw if self.calibrator is None else self.calibrator.apply(raw)


@dataclass(frozen=True, slots=True)
class Failure:
    """A kind of model that could not be fitted or measured, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Training:
    """What training came to.

    Attributes:
        candidates: the naive rule first, then simplest first.
        chosen: the one to serve.
        why: in words, why that one.
        too_young: why no model was fitted; empty where models were.
        folds: sizes and periods.
        naive: the naive rule's ranking on held-out time.
        unseen: evaluations of the chosen kind on patients and facilities kept out of training.
        outcomes: outcomes of the test fold's period, competing ones among them.
        failures: kinds of model that failed; the others were trained all the same.
    """

    candidates: Sequence[Candidate]
    chosen: Candidate
    why: str
    too_young: str
    folds: Mapping[str, Any]
    naive: Evaluation | None
    unseen: Mapping[str, Any]
    outcomes: Mapping[str, int]
    test_from: int | None
    failures: Sequence[Failure] = ()


def train(
    data: Dataset, fit: Fit, names: Sequence[str], facility_names: Mapping[int, str], say: Say = lambda _: None
) -> Training:
    """Fit, calibrate, measure and choose.

    Args:
        data: resolved prediction units.
        fit: fits one kind of model.
        names: kinds of model, any order.
        facility_names: what a reader knows a facility by.
        say: told what is going on.
    """
    folds = split(data)
    young = too_young(data, folds)
    if young:
        rule = _naive(data, data.labelled, None, facility_names)
        why = f"too young to train: {young}. The naive rule (late last time) serves instead"
        return Training([rule], rule, why, young, folds.to_json(data), None, {}, data.outcomes(), None)
    candidates = [_naive(data, folds.train | folds.calibrate, folds.test, facility_names)]
    best: Candidate | None = None
    failures: list[Failure] = []
    for name in sorted(names, key=_simplicity):
        say(f"fitting {name}")
        try:
            candidate = _candidate(name, data, folds, fit, facility_names, best)
        except ModelFailed as error:
            failures.append(Failure(name, error.detail))
            say(f"{name} failed, the other models go on")
            continue
        candidates.append(candidate)
        if candidate.gates["passed"] and (best is None or _beats(candidate)):
            best = candidate
    chosen = best or candidates[0]
    say("evaluating on unseen patients and facilities")
    return Training(
        candidates=candidates,
        chosen=chosen,
        why=_why(chosen, candidates, failures),
        too_young="",
        folds=folds.to_json(data),
        naive=naive_evaluation(data.where(folds.test), SEED),
        unseen=_unseen(chosen, data, folds, fit),
        outcomes=data.where(data.day >= folds.test_from).outcomes(),
        test_from=folds.test_from,
        failures=failures,
    )


def too_young(data: Dataset, folds: Folds) -> str:
    """Why the tenant's history is too little to train on; empty when it is enough."""
    for name, (rows, outcomes) in FEWEST.items():
        mask: Mask = getattr(folds, name)
        positives = int((data.y[mask] == 1).sum())
        there = int(mask.sum())
        if there < rows or min(positives, there - positives) < outcomes:
            return (
                f"to {name}, {there} resolved decisions with {positives} interruptions are there, and at least {rows} "
                f"with {outcomes} of either outcome are needed"
            )
    return ""


def training_data(data: Dataset, mask: Mask) -> TrainingData:
    """The rows as a plugin takes them."""
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
    measured, table = None, reliability.EMPTY
    if test is not None:
        held = data.where(test)
        risk = model.predict(held.X.astype(np.float64))
        table = reliability.measure(risk, held.y, held.patient)
        measured = measure(risk, held, facility_names, SEED)
    why = "the naive rule is what others are measured against; it serves where none passes"
    verdict = {"passed": False, "why": why}
    return Candidate(
        naive.NAME, naive.VERSION, None, model, None, table, measured, verdict, FEATURE_SET, model.summary()
    )


def _candidate(
    name: str, data: Dataset, folds: Folds, fit: Fit, facility_names: Mapping[int, str], best: Candidate | None
) -> Candidate:
    later, held = data.where(folds.calibrate), data.where(folds.test)
    matrix = _columns(held)
    with contained(name, "be fitted and to score held-out decisions"):
        artifact, model, version = fit(name, training_data(data, folds.train), SEED)
        raw_later, raw = _probabilities(model, _columns(later)), _probabilities(model, matrix)
        summary = dict(model.summary())
        if tuple(model.features) != FEATURE_SET.features:
            message = "the model's features are not those that it was fitted on, in their order"
            raise ValueError(message)
    calibrator = fit_calibrator(raw_later, later.y, later.patient, seed=SEED)
    risk = calibrator.apply(raw)
    measured = measure(risk, held, facility_names, SEED)
    against = None
    if best is not None:
        against = compare(risk, best.risk(matrix), held.y, held.patient, seed=SEED)
    table = reliability.measure(risk, held.y, held.patient)
    return Candidate(
        name, version, artifact, model, calibrator, table, measured, gates(measured), FEATURE_SET, summary, against
    )


def _probabilities(model: FittedModel, X: Floats) -> Floats:
    """The model's answer, checked: what is no probability is a failure of the model, not of what reads it."""
    raw = np.asarray(model.predict(X), dtype=np.float64)
    if raw.shape != (len(X),) or not ((raw >= 0) & (raw <= 1)).all():
        message = "the model gave something that is no probability for each decision"
        raise ValueError(message)
    return raw


def _why(chosen: Candidate, candidates: Sequence[Candidate], failures: Sequence[Failure]) -> str:
    if chosen.name == naive.NAME:
        failed = "; ".join(
            [
                f"{c.name}: "
                + ", ".join(k for k, gate in c.gates.items() if isinstance(gate, dict) and not gate["passed"])
                for c in candidates[1:]
            ]
            + [f"{failure.name}: could not be trained" for failure in failures]
        )
        return f"no fitted model passes its gates ({failed}): the naive rule serves"
    if chosen.against_simpler is not None:
        return f"{chosen.name} has the higher average precision than the simpler model, with an interval above zero"
    others = [c.name for c in candidates if c.against_simpler is not None and not _beats(c)]
    beaten = f"; {' and '.join(others)} did no better beyond doubt" if others else ""
    return f"{chosen.name} is the simplest that passes its gates and beats the naive rule{beaten}"


def _unseen(chosen: Candidate, data: Dataset, folds: Folds, fit: Fit) -> dict[str, Any]:
    """The chosen kind, fitted without some patients or facilities and measured on those alone, on the test fold."""
    if chosen.name == naive.NAME:
        return {}
    found: dict[str, Any] = {}
    for what, kept_out in (("patients", unseen_patients(data, SEED)), ("facilities", unseen_facilities(data, SEED))):
        if kept_out is None:
            found[what] = {"not_measured": "too few facilities to keep some out"}
            continue
        inside, later, held = (
            folds.train & ~kept_out,
            folds.calibrate & ~kept_out,
            folds.test & kept_out,
        )
        if any(not _both(data, mask) for mask in (inside, later, held)):
            found[what] = {"not_measured": "too few interruptions among those kept out"}
            continue
        rows, unseen = data.where(later), data.where(held)
        try:
            with contained(chosen.name, f"be fitted without some {what}"):
                model = fit(chosen.name, training_data(data, inside), SEED)[1]
                raw_later = _probabilities(model, _columns(rows))
                raw = _probabilities(model, _columns(unseen))
        except ModelFailed as error:
            found[what] = {"not_measured": error.detail}
            continue
        calibrator = fit_calibrator(raw_later, rows.y, rows.patient, seed=SEED)
        risk = calibrator.apply(raw)
        found[what] = evaluate(risk, unseen.y, unseen.patient, seed=SEED).to_json()
    return found


def _both(data: Dataset, mask: Mask) -> bool:
    positives = int((data.y[mask] == 1).sum())
    fewest = 10
    return min(positives, int(mask.sum()) - positives) >= fewest


__all__ = ["PRIMARY", "SEED", "Candidate", "Training", "too_young", "train", "training_data"]
