"""The page of training results: figures on held-out later time, tenant by tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tenants.risk import repository
from tenants.risk.cards import MAIN, estimate_text, estimates
from tenants.risk.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.database import TenantSession

HEAD: Final = ("base_rate", "roc_auc", "average_precision", "brier", "calibration_slope", "calibration_intercept")
DIFFERENCES: Final = ("roc_auc", "average_precision", "brier")


def collect(session: TenantSession, title: str, about: str) -> dict[str, Any]:
    """Return the newest training of a tenant, with the cards of all its models.

    Args:
        session: the tenant's transaction.
        title: name of the data for readers.
        about: description of the data, real or simulated, with their source.

    Raises:
        NotFound: nothing was trained yet.
    """
    served = repository.model_of_version(session, None)
    models = [
        {"card": row.card, "state": row.state, "plugin": row.plugin} for row in repository.models_of_training(session)
    ]
    return {"title": title, "about": about, "served": served.version, "models": models}


def page(results: Sequence[Mapping[str, Any]]) -> str:
    """Return all tenants' results as Markdown: an overview, then each tenant."""
    lines = [
        "# Results",
        "",
        "Everything here is measured on held-out later time: the model was fitted on earlier decisions whose outcome",
        "was known before the first of these was made, and calibrated on decisions in between. Intervals: 95 %.",
        "",
        "| data | decisions | people | " + " | ".join(_spoken(name) for name in HEAD) + " |",
        "|---|---|---|" + "---|" * len(HEAD),
    ]
    lines += [_overview(result) for result in results]
    lines += ["", "Definitions: " + "; ".join(f"{_spoken(name)}: {METRICS[name]}" for name in MAIN) + ".", ""]
    for result in results:
        lines += _tenant(result)
    return "\n".join(lines)


def _spoken(name: str) -> str:
    return name.replace("roc_auc", "ROC-AUC").replace("ppv", "PPV").replace("_", " ")


def _served(result: Mapping[str, Any]) -> Mapping[str, Any]:
    cards: list[dict[str, Any]] = [model["card"] for model in result["models"]]
    return next((card for card in cards if card["version"] == result["served"]), cards[0])


def _overview(result: Mapping[str, Any]) -> str:
    card = _served(result)
    figures = card["metrics"]
    name = f"{result['title']} ({card['version']})"
    if figures is None:
        return f"| {name} | | | too young to train: {card['too_young']} |" + " |" * (len(HEAD) - 1)
    cells = " | ".join(estimate_text(figures["metrics"].get(metric)) for metric in HEAD)
    return f"| {name} | {figures['decisions']:,} | {figures['patients']:,} | {cells} |"


def _tenant(result: Mapping[str, Any]) -> list[str]:
    card = _served(result)
    lines = [f"## {result['title']}", "", str(result["about"]), "", f"Outcome: {card['outcome']}.", ""]
    lines += [f"Served: {card['version']}. {card['choice']}.", ""]
    if card["metrics"] is None:
        return lines
    test, train = card["data"]["test"], card["data"]["train"]
    period = (
        f"Trained on {train['decisions']:,} decisions from {train['first_decision']} to {train['last_decision']}; "
        f"measured on those from {test['first_decision']} to {test['last_decision']}, whose outcomes were known by "
        f"{test['last_outcome_known']}."
    )
    head = (
        "| model | ROC-AUC | average precision | Brier | less the naive rule: ROC-AUC | less the simpler: ROC-AUC "
        "| average precision | gates |"
    )
    lines += [
        period,
        "",
        *estimates(card["metrics"], card["naive_rule"]),
        "",
        head,
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_model(model["card"]) for model in result["models"] if model["card"]["metrics"]]
    lines += ["", *_unseen(card), *_groups(card)]
    outcomes = ", ".join(f"{name} {count:,}" for name, count in card["outcomes_in_test_period"].items())
    lines += [f"Outcomes in the period measured, competing ones among them: {outcomes}.", ""]
    return lines


def _model(card: Mapping[str, Any]) -> str:
    own, simpler = card["metrics"]["metrics"], card["against_simpler"]
    naive = estimate_text(card["against_naive"]["differences"].get("roc_auc"))
    less = (
        ["", ""]
        if simpler is None
        else [estimate_text(simpler["differences"][n]) for n in ("roc_auc", "average_precision")]
    )
    failed = [k for k, gate in card["gates"].items() if isinstance(gate, dict) and not gate["passed"]]
    verdict = "not judged" if card["kind"] == "naive" else f"failed: {', '.join(failed)}" if failed else "passed"
    figures = " | ".join(estimate_text(own[name]) for name in DIFFERENCES)
    return f"| {card['version']} | {figures} | {naive} | {less[0]} | {less[1]} | {verdict} |"


def _unseen(card: Mapping[str, Any]) -> list[str]:
    lines = []
    for subset, result in card["unseen"].items():
        if "not_measured" in result:
            lines.append(f"- Unseen {subset}: not measured, {result['not_measured']}.")
        else:
            figures = result["metrics"]
            lines.append(
                f"- Unseen {subset} ({result['decisions']:,} decisions of {result['patients']:,} people): ROC-AUC "
                f"{estimate_text(figures['roc_auc'])}, average precision {estimate_text(figures['average_precision'])} "
                f"at base rate {estimate_text(figures['base_rate'])}."
            )
    return [*lines, ""] if lines else []


def _groups(card: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for division, members in (card["groups"] or {}).items():
        if len(members) <= 1:
            continue
        lines += [f"### By {division.replace('_', ' ')}", ""]
        lines += ["| group | decisions | base rate | ROC-AUC | average precision | calibration intercept |"]
        lines += ["|---|---|---|---|---|---|"]
        for group in members:
            names = ("base_rate", "roc_auc", "average_precision", "calibration_intercept")
            cells = " | ".join(estimate_text(group["metrics"].get(name)) for name in names)
            lines.append(f"| {group['label']}{' (few)' if group['small'] else ''} | {group['decisions']:,} | {cells} |")
        lines.append("")
    return lines
