"""How the predictions turned out, as the programme's page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from core.web.texts import shown_month, shown_number, shown_share
from tenants.portal.programme_words import share
from tenants.risk import accuracy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession

SHOWN: Final = 12
"""Months on the page; the API has all."""


def accuracy_rows(session: TenantSession) -> list[dict[str, str]]:
    """Return the newest months as rows of the page's table."""
    return [
        {
            "month": shown_month(row.month),
            "decisions": shown_number(row.decisions),
            "predicted": shown_share(row.mean_risk, 1),
            "interrupted": share(row.interrupted, row.decisions, 1),
            "listed": share(row.listed_interrupted, row.listed, 1),
            "others": share(row.interrupted - row.listed_interrupted, row.decisions - row.listed, 1),
            "roc_auc": _estimate(row.figures["roc_auc"]),
            "brier": _estimate(row.figures["brier"]),
        }
        for row in accuracy.list_months(session)[:SHOWN]
    ]


def _estimate(figure: Mapping[str, Any]) -> str:
    """Return a figure with its interval, such as ``0.77 (0.75-0.79)``; ``-`` if it is undefined."""
    if figure["value"] is None:
        return "-"
    value = shown_number(figure["value"], 3)
    if figure["low"] is None:
        return value
    return f"{value} ({shown_number(figure['low'], 3)}\N{EN DASH}{shown_number(figure['high'], 3)})"
