"""Words for models: their states, figures, gates, and what happened to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from core.web.texts import gettext as _
from core.web.texts import marked, shown_date, shown_decimal, shown_number, shown_range, shown_share

if TYPE_CHECKING:
    from collections.abc import Mapping

STATES: Final[dict[str, tuple[str, str]]] = {
    "champion": (marked("Champion"), "low"),
    "challenger": (marked("Challenger"), "medium"),
    "shadow": (marked("Shadow"), "medium"),
    "candidate": (marked("Candidate"), ""),
    "retired": (marked("Retired"), ""),
    "failed": (marked("Could not be trained"), "high"),
}
"""State of a model -> its word and shape."""
ACTIONS: Final = {
    "approved": marked("{version} was approved"),
    "promoted": marked("{version} became the champion"),
    "rolled_back": marked("Rolled back: {version} serves again"),
    "retired": marked("{version} was retired"),
    "trial_started": marked("The comparison of {version} began"),
    "trial_ended": marked("The comparison of {version} ended"),
}
TRIALS: Final = {
    "shadow": marked("{version} scores beside {other}, at no effect."),
    "ab": marked("{version} serves {count} clinics that chance gave it; {other} serves the others."),
    "canary": marked(
        "{version} was promoted. {other} scores beside it until {day}, and serves again if it does better."
    ),
}
RESULTS: Final = {
    "better": marked("Fewer people interrupted where it served."),
    "worse": marked("More people interrupted where it served."),
    "no difference": marked("No difference was found."),
    "passed": marked("It passed its first days."),
    "rolled_back": marked("It was rolled back."),
    "stopped": marked("It was stopped."),
    "promoted": marked("It was promoted."),
}
FIGURES: Final = {
    "base_rate": marked("Share that interrupted"),
    "roc_auc": marked("ROC-AUC"),
    "average_precision": marked("Average precision"),
    "brier": marked("Brier score"),
    "calibration_slope": marked("Calibration slope"),
    "calibration_intercept": marked("Calibration intercept"),
}
GATES: Final = {
    "performance": marked("Better than the naive rule"),
    "calibration": marked("Probabilities are right"),
    "groups": marked("Right for every group"),
    "bias": marked("No group certainly served worse"),
    "leakage": marked("Not too good to be true"),
}


def state_words(state: str) -> tuple[str, str]:
    """The word and the shape of a model's state."""
    word, level = STATES.get(state, (state, ""))
    return _(word), level


def estimate(figure: Mapping[str, Any] | None) -> str:
    """A figure with its 95 % interval; a dash if it is undefined."""
    if not figure or figure["value"] is None:
        return "\N{EN DASH}"
    value = shown_decimal(figure["value"], 3)
    if figure["low"] is None or figure["high"] is None:
        return value
    return f"{value} ({shown_range(shown_decimal(figure['low'], 3), shown_decimal(figure['high'], 3))})"


def trial_words(version: str, trial: Mapping[str, Any]) -> str:
    """What a comparison is, in one sentence."""
    from datetime import date

    day = shown_date(date.fromisoformat(trial["until"])) if "until" in trial else ""
    count = shown_number(len(trial.get("facilities", ())))
    return _(TRIALS[trial["kind"]]).format(version=version, other=trial["other_version"], count=count, day=day)


def stated_words(trial: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was stated before a comparison of served clinics began, as pairs."""
    looks = trial["looks"]
    resolved = shown_number(looks[-1]["decisions"]) if looks else shown_number(0)
    pairs = [
        (
            _("Resolved so far"),
            _("{count} of {planned}").format(count=resolved, planned=shown_number(trial["planned_decisions"])),
        ),
        (_("Smallest effect that matters"), shown_share(trial["smallest_effect"], 1)),
        (_("Chance of a false alarm"), shown_share(trial["alpha"])),
        (_("Chance of finding the effect"), shown_share(trial["power"])),
        (_("Seed of the draw"), str(trial["seed"])),
    ]
    if looks:
        last = looks[-1]
        pairs.append((_("Difference so far"), shown_number(100 * last["difference"], 1) + " %"))
        pairs.append(
            (
                _("Evidence ratio"),
                _("{ratio}; it ends at {border}").format(
                    ratio=shown_number(last["ratio"], 1), border=shown_number(1 / trial["alpha"])
                ),
            )
        )
    return pairs


def event_words(action: str, version: str, note: str) -> str:
    """What happened to a model, with the reason."""
    text = _(ACTIONS[action]).format(version=version)
    return f"{text}: {note}" if note else f"{text}."
