"""Words of the pages about drift, groups and features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from core.web.texts import gettext as _
from core.web.texts import marked, shown_decimal, shown_number, shown_range, shown_share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

THEMES: Final = {
    "lateness": marked("Lateness at earlier contacts"),
    "interruptions": marked("Earlier interruptions"),
    "timing": marked("The expected contact"),
    "interval": marked("Usual interval between contacts"),
    "attendance": marked("How often the person comes"),
    "treatment": marked("Time on treatment"),
    "supply": marked("Supply and regimen"),
    "viral_load": marked("Viral load"),
    "cd4": marked("CD4"),
    "clinical": marked("Clinical state"),
    "person": marked("Age and sex"),
    "facility": marked("The facility"),
    "calendar": marked("The calendar"),
    "records": marked("What is not recorded"),
    "": marked("Scores"),
}
DIVISIONS: Final = {
    "sex": marked("Sex"),
    "age_band": marked("Age in years"),
    "facility": marked("Clinic"),
    "state": marked("State"),
    "knowledge": marked("Day on which facts were known"),
}
VERDICTS: Final = {
    "fits": marked("Fits"),
    "higher": marked("More interruptions than predicted"),
    "lower": marked("Fewer interruptions than predicted"),
    "unknown": marked("Too few outcomes to say"),
}
GROUPS: Final = {
    "female": marked("Female"),
    "male": marked("Male"),
    "not recorded": marked("Not recorded"),
    "day of knowledge assumed": marked("Assumed"),
    "day of knowledge stamped": marked("Stamped in the records"),
}
_PAGES: Final = (
    ("/programme/models", marked("Models")),
    ("/programme/drift", marked("Drift")),
    ("/programme/groups", marked("Groups")),
    ("/programme/features", marked("Features")),
)


def sections_of_watch(current: str) -> list[tuple[str, str, bool]]:
    """The address and name of each page, and whether it is the one shown."""
    return [(path, _(name), path == current) for path, name in _PAGES]


def number(value: float | None, digits: int = 2) -> str:
    """A number in the reader's language; a dash where there is none."""
    return "-" if value is None else shown_number(value, digits)


def interval(estimate: Mapping[str, Any], *, share: bool = False) -> str:
    """An estimate with its 95 % interval in brackets; a dash where it is not defined."""

    def shown(value: float) -> str:
        return shown_share(value) if share else shown_decimal(value, 2)

    if estimate.get("value") is None:
        return "-"
    if estimate.get("low") is None or estimate.get("high") is None:
        return shown(estimate["value"])
    return f"{shown(estimate['value'])} ({shown_range(shown(estimate['low']), shown(estimate['high']))})"


def column_rows(columns: Sequence[Mapping[str, Any]], most: int) -> list[dict[str, str]]:
    """Columns of a comparison as rows of a table, those that drifted first, then by their index."""
    ordered = sorted(columns, key=lambda column: (not column["drifted"], -column["index"]))
    return [
        {
            "name": column["name"] if column["name"] != "risk" else _("Scores"),
            "theme": _(THEMES.get(column["theme"], "")) if column["theme"] else "",
            "index": shown_decimal(column["index"], 2),
            "usual": shown_decimal(column["usual_index"], 2),
            "before": shown_share(column["missing_before"]),
            "now": shown_share(column["missing_now"]),
            "found": _("Drifted") if column["drifted"] else _("As before"),
        }
        for column in ordered[:most]
    ]


def facility_rows(changes: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What moved at single facilities, as rows of a table."""
    return [
        {
            "facility": row["facility"],
            "name": row["name"] if row["name"] != "risk" else _("Scores"),
            "what": _("Missing values") if row["missing"] else _("Mean"),
            "change": shown_share(row["pooled"]) if row["missing"] else shown_number(row["pooled"], 1),
            "people": shown_number(row["people"]),
        }
        for row in changes
    ]


def group_name(label: str) -> str:
    """The name of a group in the reader's language; a clinic or a band of ages as it is."""
    return _(GROUPS[label]) if label in GROUPS else label


def group_rows(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The groups of a division as rows of a table."""
    return [
        {
            "label": group_name(group["label"]),
            "decisions": shown_number(group["decisions"]),
            "predicted": shown_share(group["mean_risk"], 1),
            "observed": shown_share(group["observed"], 1),
            "pooled": interval(group["pooled"]),
            "roc_auc": interval(group["roc_auc"]),
            "listed": interval(group["listed"], share=True),
            "sensitivity": interval(group["sensitivity"], share=True),
            "verdict": _(VERDICTS[group["verdict"]]),
        }
        for group in groups
    ]
