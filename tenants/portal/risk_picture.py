"""The picture on a patient's page: the way from the usual risk to this person's, theme by theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.web.texts import gettext as _
from core.web.texts import shown_number
from tenants.portal.watch_words import THEMES
from tenants.risk.explanations.pictures import waterfall

if TYPE_CHECKING:
    from markupsafe import Markup

    from tenants.risk.explain import RiskExplanation


def risk_picture(risk: RiskExplanation | None) -> Markup | None:
    """The waterfall of a person's risk in log-odds; None for people who are not scored."""
    if risk is None or risk.base is None or risk.raw_log_odds is None or not risk.reasons:
        return None
    steps = [
        (_(THEMES[reason["theme"]]), float(reason["contribution"]), _signed(reason["contribution"]))
        for reason in risk.reasons
    ]
    if risk.other_contribution:
        steps.append((_("All others"), risk.other_contribution, _signed(risk.other_contribution)))
    title = _("From the usual risk to this one, in log-odds")
    return waterfall(title, (_("Usual"), risk.base), steps, (_("This person"), risk.raw_log_odds))


def _signed(value: float) -> str:
    sign = "+" if value > 0 else ""
    return f"{sign}{shown_number(value, 2)}"
