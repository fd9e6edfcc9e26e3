"""Fit every kind of model, calibrate on later time, measure on still later time, and choose. It uses no database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plugins.sdk import TrainingData
from tenants.risk import naive, reliability
from tenants.risk.calibration import fit_calibrator
from tenants.risk.candidates import Candidate, Failure, Fit, Prepare, TrainingOutcome
from tenants.risk.evaluation import PRIMARY, gates, measure, naive_evaluation
from tenants.risk.failures import ModelFailed, contained
from tenants.risk.input_list import NAMES
from tenants.risk.input_sets import FEATURE_SET, select
from tenants.risk.metrics import compare, evaluate
from tenants.risk.registry import ensembles
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
HALF: Final = 0.5
FEWEST: Final[Mapping[str, tuple[int, int]]] = {"train": (500, 50), "calibrate": (100, 20), "test": (200, 30)}
"""The fewest decisions, and outcomes of either kind, that a fold needs."""
SIMPLER_FIRST: Final = ("additive", "boosting")
"""Kinds of model, simplest first. Models of other plugins follow by name."""


def train(
    data: Dataset,
    fit: Fit,
    names: Sequence[str],
    facility_names: Mapping[int, str],
    say: LineCallback = lambda _: None,
    *,
    combine: bool = False,
    prepare: Prepare | None = None,
) -> TrainingOutcome:
    """Fit, calibrate, measure and choose.

    Args:
        data: resolved prediction units.
        fit: fits one kind of model.
        names: kinds of model, any order.
        facility_names: index of the facility -> name for readers.
        say: receives a note before each step.
        combine: whether to combine the kinds that passed their gates; a combination counts as less simple than they.
        prepare: searches parameters of each kind first.
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
            if prepare is not None:
                prepare(name, training_data(data, folds.train))
            candidate = _candidate(name, data, folds, fit, facility_names, best)
        except ModelFailed as error:
            failures.append(Failure(name, error.detail))
            say(f"{name} failed; the other models continue")
            continue
        candidates.append(candidate)
        if candidate.gates["passed"] and (best is None or _beats(candidate)):
            best = candidate
    passed = [candidate for candidate in candidates[1:] if candidate.gates["passed"]]
    if combine and len(passed) > 1:
        say("combining the models")
        for name in ensembles.NAMES:
            try:
                combination = _combination(name, passed[: ensembles.MOST_MEMBERS], data, folds, facility_names, best)
            except ModelFailed as error:
                failures.append(Failure(name, error.detail))
                continue
            if combination is not None:
                candidates.append(combination)
                best = combination if combination.gates["passed"] and _beats(combination) else best
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
    later, matrix = data.where(folds.calibrate), _columns(data.where(folds.test))
    with contained(name, "be fitted and to score held-out decisions"):
        artifact, model, version = fit(name, training_data(data, folds.train), SEED)
        raw_later, raw = _probabilities(model, _columns(later)), _probabilities(model, matrix)
        summary = dict(model.summary())
        if tuple(model.features) != FEATURE_SET.features:
            message = "the model's features are not those that it was fitted on, in their order"
            raise ValueError(message)
    fitted = _FittedModel(name, version, artifact, model, summary)
    return _judged(fitted, (raw_later, later), raw, data.where(folds.test), facility_names, best)


@dataclass(frozen=True, slots=True)
class _FittedModel:
    """A model before it is calibrated and measured."""

    name: str
    version: str
    artifact: Artifact | None
    model: FittedModel
    summary: Mapping[str, Any]


def _judged(
    fitted: _FittedModel,
    later: tuple[Floats, Dataset],
    raw: Floats,
    held_out: Dataset,
    facility_names: Mapping[int, str],
    best: Candidate | None,
) -> Candidate:
    """Calibrate a fitted model on later time, and measure it on still later time.

    Args:
        fitted: the model.
        later: its probabilities for the decisions to calibrate on, and these.
        raw: its probabilities for the held-out decisions.
        held_out: these decisions.
        facility_names: index of the facility -> name for readers.
        best: the best simpler model.
    """
    calibrator = fit_calibrator(later[0], later[1].y, later[1].patient, seed=SEED)
    risk = calibrator.apply(raw)
    figures = measure(risk, held_out, facility_names, SEED)
    against = None
    if best is not None:
        against = compare(risk, best.risk(_columns(held_out)), held_out.y, held_out.patient, seed=SEED)
    table = reliability.measure(risk, held_out.y, held_out.patient)
    return Candidate(
        fitted.name,
        fitted.version,
        fitted.artifact,
        fitted.model,
        calibrator,
        table,
        figures,
        gates(figures),
        FEATURE_SET,
        fitted.summary,
        against,
    )


def _combination(
    name: str,
    members: Sequence[Candidate],
    data: Dataset,
    folds: Folds,
    facility_names: Mapping[int, str],
    best: Candidate | None,
) -> Candidate | None:
    """A combination of fitted models; None if there is too little to learn a stack's weights from.

    The weights of a stack are learnt from half of the patients of the calibration fold, and it is calibrated on the
    others, so that nothing is measured on what it was fitted on.
    """
    later, held_out = data.where(folds.calibrate), data.where(folds.test)
    parts = [ensembles.Member(each.name, each.plugin_version, each.artifact, each.model) for each in members]
    with contained(name, "be combined and to score held-out decisions"):
        if name == ensembles.AVERAGE:
            model, calibrating = ensembles.average(parts), later
        else:
            learning = unseen_patients(later, SEED, HALF)
            if not (_has_both_outcomes(later, learning) and _has_both_outcomes(later, ~learning)):
                return None
            rows, calibrating = later.where(learning), later.where(~learning)
            scores = [_probabilities(part.model, _columns(rows)) for part in parts]
            model = ensembles.stack(parts, scores, rows.y)
        raw_later, raw = (_probabilities(model, _columns(rows)) for rows in (calibrating, held_out))
        fitted = _FittedModel(name, ensembles.VERSION, model.save(), model, model.summary())
    return _judged(fitted, (raw_later, calibrating), raw, held_out, facility_names, best)


def _fit_alike(choice: Candidate, data: TrainingData, fit: Fit) -> FittedModel:
    """Fit the same kind of model on other rows; a combination keeps its weights."""
    if not isinstance(choice.model, ensembles.CombinedModel):
        return fit(choice.name, data, SEED)[1]
    combined = choice.model
    members = []
    for member in combined.members:
        artifact, model, version = fit(member.kind, data, SEED)
        members.append(ensembles.Member(member.kind, version, artifact, model))
    return ensembles.CombinedModel(tuple(members), combined.weights, combined.intercept)


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
                model = _fit_alike(choice, training_data(data, inside), fit)
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


__all__ = ["PRIMARY", "SEED", "Candidate", "Fit", "TrainingOutcome", "too_young", "train", "training_data"]
