"""What the pages of models show: the champion, the comparison, the others, figures over time, one model's card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from core.web.keyset import Slice
from core.web.paging import PageRequest
from core.web.texts import gettext as _
from core.web.texts import shown_date, shown_decimal, shown_month, shown_number
from tenants.portal import model_words as words
from tenants.portal.watch_words import DIVISIONS, group_name
from tenants.risk import accuracy, repository
from tenants.risk.registry import lifecycle, terms, trials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from core.database import TenantSession
    from tenants.risk.models import RiskModel
    from tenants.risk.models_registry import ModelEvent

MONTHS: Final = 12
IN_CHART: Final = 6
"""Months of the chart: more labels would touch each other on a phone."""
SHOWN: Final = 30
"""Models on the page, the newest; the API has all."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model in the list."""

    id: UUID
    version: str
    state: str
    level: str
    trained: str
    passed: str
    roc_auc: str
    average_precision: str


@dataclass(frozen=True, slots=True)
class Models:
    """The page of all models.

    Attributes:
        champion: the model that scores; None before any training.
        trial: sentence, pairs and figures of the running comparison; None if none runs.
        rows: the newest models.
        months: figures over time, newest first.
        chart: (month, ROC-AUC, text), oldest first.
        events: (ISO day, day, text) of what changed.
        may_roll_back: whether there is a former champion.
    """

    champion: ModelRow | None
    trial: dict[str, Any] | None
    rows: list[ModelRow]
    months: list[dict[str, str]]
    chart: list[tuple[str, float, str]]
    events: list[tuple[str, str, str]]
    former: str


def read_models(session: TenantSession) -> Models:
    """Return what the page of all models shows."""
    part: Slice[RiskModel] = repository.list_models(session, PageRequest(1, SHOWN, sort=repository.NEWEST_MODELS))
    champion = repository.preferred_model(session)
    compared = trials.running(session)
    former = lifecycle.former_champion(session)
    months = accuracy.list_months(session)[:MONTHS]
    with_auc = [row for row in reversed(months[:IN_CHART]) if row.figures["roc_auc"]["value"] is not None]
    return Models(
        champion=None if champion is None else _row(champion),
        trial=None if compared is None else trial_of(compared),
        rows=[_row(row) for row in part.rows],
        months=[_month(row) for row in months],
        chart=[
            (
                shown_month(row.month, short=True),
                float(row.figures["roc_auc"]["value"]),
                shown_decimal(row.figures["roc_auc"]["value"], 3),
            )
            for row in with_auc
        ],
        events=event_rows(lifecycle.events(session)),
        former="" if former is None else former.version,
    )


def trial_of(row: RiskModel) -> dict[str, Any]:
    """The running or last comparison of a model, as the pages show it."""
    trial = row.trial or {}
    figures = trial["figures"]
    return {
        "id": row.uuid,
        "running": terms.is_running(trial),
        "kind": trial["kind"],
        "version": row.version,
        "other": trial["other_version"],
        "sentence": words.trial_words(row.version, trial),
        "result": _(words.RESULTS[trial["result"]]) if trial["result"] else "",
        "stated": words.stated_words(trial) if trial["kind"] == "ab" else [],
        "decisions": shown_number(figures["decisions"]) if figures and "decisions" in figures else "",
        "figures": _beside(figures) if figures and "model" in figures else [],
    }


def event_rows(events: Sequence[ModelEvent]) -> list[tuple[str, str, str]]:
    """Events as a timeline: day as ISO text, day in words, text."""
    return [
        (
            event.happened_at.date().isoformat(),
            shown_date(event.happened_at.date()),
            words.event_words(event.action, event.version, event.note),
        )
        for event in events
    ]


def figure_rows(card: Mapping[str, Any]) -> list[dict[str, str]]:
    """The main figures of a card beside those of the naive rule."""
    own, rule = card.get("metrics"), card.get("naive_rule")
    if not own:
        return []
    return [
        {
            "figure": _(label),
            "model": words.estimate(own["metrics"].get(name)),
            "rule": words.estimate((rule or {}).get("metrics", {}).get(name)),
        }
        for name, label in words.FIGURES.items()
    ]


def group_tables(card: Mapping[str, Any]) -> list[tuple[str, list[dict[str, str]]]]:
    """Figures by group: the division and its rows."""
    return [
        (
            _(DIVISIONS.get(division, division)),
            [
                {
                    "group": group_name(group["label"]),
                    "decisions": shown_number(group["decisions"]),
                    "base_rate": words.estimate(group["metrics"].get("base_rate")),
                    "roc_auc": words.estimate(group["metrics"].get("roc_auc")),
                    "intercept": words.estimate(group["metrics"].get("calibration_intercept")),
                }
                for group in members
            ],
        )
        for division, members in (card.get("groups") or {}).items()
    ]


def gate_rows(gates: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The gates, each with its verdict and why."""
    return [
        {"gate": _(label), "passed": gates[name]["passed"], "why": gates[name]["why"]}
        for name, label in words.GATES.items()
        if isinstance(gates.get(name), dict)
    ]


def origin_rows(row: RiskModel) -> list[tuple[str, str]]:
    """What a model came from, as pairs."""
    origin = row.lineage or {}
    pairs = [
        (_("Trained"), shown_date(row.trained_at.date())),
        (_("Data until"), shown_date(row.trained_through) if row.trained_through else "\N{EN DASH}"),
        (_("Plugin"), f"{row.plugin} {row.plugin_version}".strip()),
        (_("Features"), shown_number(len(row.features))),
    ]
    if origin:
        data, code = origin["data"], origin["code"]
        pairs += [
            (_("Decisions in the data"), shown_number(data["decisions"])),
            (_("Fingerprint of the data"), data["sha256"][:16]),
            (_("Fingerprint of the code"), code["sha256"][:16]),
            (_("Seed"), str(origin["seed"])),
        ]
    if row.blob_sha256:
        pairs.append((_("Fingerprint of the model"), row.blob_sha256[:16]))
    pairs.append((_("Signature"), _("Signed") if row.signature else _("Not signed")))
    return pairs


def _row(row: RiskModel) -> ModelRow:
    word, level = words.state_words(lifecycle.shown_state(row.state))
    metrics = (row.metrics.get("held_out") or {}).get("metrics", {})
    return ModelRow(
        id=row.uuid,
        version=row.version,
        state=word,
        level=level,
        trained=shown_date(row.trained_at.date()),
        passed=_("Passed") if row.gates.get("passed") else _("Not passed"),
        roc_auc=words.estimate(metrics.get("roc_auc")),
        average_precision=words.estimate(metrics.get("average_precision")),
    )


def _beside(figures: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "figure": _(words.FIGURES[name]),
            "model": words.estimate(figures["model"].get(name)),
            "other": words.estimate(figures["other"].get(name)),
            "difference": words.estimate(figures["difference"].get(name)),
        }
        for name in words.FIGURES
        if name in figures["model"]
    ]


def _month(row: Any) -> dict[str, str]:  # noqa: ANN401 - an AccuracyMonth
    return {
        "month": shown_month(row.month),
        "decisions": shown_number(row.decisions),
        "roc_auc": words.estimate(row.figures["roc_auc"]),
        "brier": words.estimate(row.figures["brier"]),
        "intercept": words.estimate(row.figures["calibration_intercept"]),
    }
