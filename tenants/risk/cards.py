"""Model cards: the purpose of a model, its data, its figures, and where it must not be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tenants.risk.evaluation import calibration_limits
from tenants.risk.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenants.cohort.settings import CohortSettings
    from tenants.risk.candidates import Candidate, Failure, TrainingOutcome

INTENDED_USE: Final = (
    "To order a facility's people who are expected at a contact, so that trackers reach those most likely to interrupt "
    "treatment first. A person decides what is done; the score never withholds care."
)
LIMITS: Final = (
    "It says who is likely not to come, not why, and not whom a call would help.",
    "It is measured on this tenant's own history: another programme, or a change of practice, may make it differ.",
    "A list that works changes the outcomes by which the next model is judged.",
    "Deaths and transfers that were not recorded look like interruptions.",
    "History without stamps of when it was known is taken as known on its day; it is evaluated apart.",
)
MAIN: Final = (
    *("base_rate", "roc_auc", "average_precision", "lift", "brier", "calibration_slope", "calibration_intercept"),
    *("sensitivity_top_10", "ppv_top_10", "sensitivity_top_20", "ppv_top_20", "sensitivity_top_30", "ppv_top_30"),
)

GROUP_FIGURES: Final = ("base_rate", "roc_auc", "average_precision", "calibration_slope", "calibration_intercept")


def card(
    candidate: Candidate, training: TrainingOutcome, rules: CohortSettings, version: str, trained_at: str
) -> dict[str, Any]:
    """Return the card of one model as JSON."""
    figures = candidate.figures
    return {
        **_head(candidate.name, candidate.plugin_version, training, rules, version, trained_at),
        "failure": None,
        "fitted": dict(candidate.summary),
        "calibration": candidate.calibrator.note()
        if candidate.calibrator
        else "shares observed in history, not recalibrated",
        "metrics": None if figures is None else figures.evaluation.to_json(),
        "naive_rule": None if training.naive is None else training.naive.to_json(),
        "against_naive": None if figures is None else figures.against_naive.to_json(),
        "against_simpler": None if candidate.against_simpler is None else candidate.against_simpler.to_json(),
        "groups": None if figures is None else figures.to_json()["groups"],
        "unseen": dict(training.unseen) if candidate is training.choice else {},
        "gates": dict(candidate.gates),
        "served": "the model that was evaluated is the one that scores; it is not fitted again on the test period",
        "limits": [*LIMITS, *([] if figures is None else calibration_limits(figures))],
    }


def failed_card(
    failure: Failure, training: TrainingOutcome, rules: CohortSettings, version: str, trained_at: str
) -> dict[str, Any]:
    """Return the card of a model that could not be trained: why, and its training data."""
    return {
        **_head(failure.name, "", training, rules, version, trained_at),
        "failure": failure.why,
        "fitted": {},
        "calibration": "not fitted",
        **dict.fromkeys(("metrics", "naive_rule", "against_naive", "against_simpler", "groups")),
        "unseen": {},
        "gates": {"passed": False, "why": failure.why},
        "served": "never: it could not be trained",
        "limits": list(LIMITS),
    }


def _head(
    kind: str, plugin_version: str, training: TrainingOutcome, rules: CohortSettings, version: str, trained_at: str
) -> dict[str, Any]:
    """The entries that the cards of all models of a training share."""
    return {
        "version": version,
        "kind": kind,
        "plugin_version": plugin_version,
        "trained_at": trained_at,
        "intended_use": INTENDED_USE,
        "outcome": f"no contact by expected + {rules.grace_days} days, of those not yet returned on the decision day",
        "expected_from": rules.expected_from,
        "grace_days": rules.grace_days,
        "reporting_lag_days": rules.reporting_lag_days,
        "data": dict(training.folds),
        "outcomes_in_test_period": dict(training.outcomes),
        "too_young": training.too_young,
        "choice": training.why,
    }


def markdown(card: Mapping[str, Any]) -> str:
    """Return the card as Markdown."""
    lines = [
        f"# Model {card['version']}",
        "",
        str(card["intended_use"]),
        "",
        f"Kind: {card['kind']} {card['plugin_version']}, trained {card['trained_at']}.",
        f"Outcome: {card['outcome']}.",
        "",
        f"Choice: {card['choice']}.",
        "",
    ]
    if card.get("failure"):
        lines += [f"It could not be trained: {card['failure']}.", ""]
    lines += _folds(card["data"])
    if card["metrics"]:
        lines += ["## On held-out later time", "", *estimates(card["metrics"], card["naive_rule"]), ""]
        lines += ["Definitions: " + "; ".join(f"{name}: {METRICS[name]}" for name in MAIN) + ".", ""]
        lines += _groups(card["groups"])
    if card["unseen"]:
        lines += ["## People and facilities kept out of training", ""]
        lines += [f"- {subset}: {_unseen(result)}" for subset, result in card["unseen"].items()]
        lines.append("")
    outcomes = ", ".join(f"{name} {count:,}" for name, count in card["outcomes_in_test_period"].items())
    lines += ["## Outcomes in the test period, competing ones among them", "", outcomes or "none resolved", ""]
    lines += ["## Gates", ""]
    lines += [
        f"- {name}: {'passed' if gate['passed'] else 'not passed'} ({gate['why']})"
        for name, gate in card["gates"].items()
        if isinstance(gate, dict)
    ] or [str(card["gates"].get("why", ""))]
    lines += [
        "",
        f"Calibration: {card['calibration']}",
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in card["limits"]),
        "",
    ]
    return "\n".join(lines)


def estimates(evaluation: Mapping[str, Any], beside: Mapping[str, Any] | None = None) -> list[str]:
    """The main figures with their intervals as a table, with another score's figures in a third column."""
    head = ["| figure | value (95 % interval) |", "|---|---|"]
    if beside is not None:
        head = ["| figure | value (95 % interval) | naive rule, late last time |", "|---|---|---|"]
    rows = []
    for name in MAIN:
        row = f"| {name.replace('_', ' ')} | {estimate_text(evaluation['metrics'].get(name))} |"
        rows.append(row if beside is None else f"{row} {estimate_text(beside['metrics'].get(name))} |")
    return [*head, *rows]


def estimate_text(estimate: Mapping[str, Any] | None) -> str:
    """An estimate with its interval, as text."""
    if not estimate or estimate["value"] is None:
        return ""
    if estimate["low"] is None or estimate["high"] is None:
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def _folds(folds: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Data",
        "",
        "| fold | decisions | people | interruptions | base rate | decisions from | to | outcomes known by |",
    ]
    lines.append("|---|---|---|---|---|---|---|---|")
    for name in ("train", "calibrate", "test"):
        fold = folds.get(name, {})
        if not fold.get("decisions"):
            lines.append(f"| {name} | 0 | 0 | 0 | | | | |")
            continue
        lines.append(
            f"| {name} | {fold['decisions']:,} | {fold['patients']:,} | {fold['interruptions']:,} "
            f"| {fold['base_rate']:.3f} | {fold['first_decision']} | {fold['last_decision']} "
            f"| {fold['last_outcome_known']} |"
        )
    return [*lines, "", f"Left out because they cross a border of folds: {folds.get('purged', 0):,}.", ""]


def _groups(groups: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for division, members in groups.items():
        lines += [f"### By {division.replace('_', ' ')}", ""]
        lines += [
            "| group | decisions | people | base rate | ROC-AUC | average precision | slope | intercept |",
        ]
        lines += ["|---|---|---|---|---|---|---|---|"]
        for group in members:
            figures = group["metrics"]
            small = " (few)" if group["small"] else ""
            cells = (estimate_text(figures.get(name)) for name in GROUP_FIGURES)
            lines.append(
                f"| {group['label']}{small} | {group['decisions']:,} | {group['patients']:,} | {' | '.join(cells)} |"
            )
        lines.append("")
    return lines


def _unseen(result: Mapping[str, Any]) -> str:
    if "not_measured" in result:
        return f"not measured: {result['not_measured']}"
    figures = result["metrics"]
    return (
        f"{result['decisions']:,} decisions of {result['patients']:,} people, "
        f"ROC-AUC {estimate_text(figures['roc_auc'])}, "
        f"average precision {estimate_text(figures['average_precision'])} at base {estimate_text(figures['base_rate'])}"
    )
