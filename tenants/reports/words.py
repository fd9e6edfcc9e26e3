"""What reports are called, on pages and in letters."""

from __future__ import annotations

from typing import Final

from core.web.texts import gettext as _
from core.web.texts import marked, shown_number
from tenants.reports.printed_list import MOST_PEOPLE

KINDS: Final[dict[str, str]] = {
    "mer": marked("Indicator tables (MER)"),
    "line-list": marked("Line list of patients"),
    "radet": marked("RADET"),
    "dhis2": marked("Values for DHIS2"),
}
"""The kinds of reports."""

STOPPED: Final[dict[str, str]] = {
    "creator": marked("the person who made it has left, or the key that made it has ended"),
    "permission": marked("the person who made it may no longer schedule or read such reports"),
    "reach": marked("the person who made it reaches none of its clinics any more"),
}
"""Why a schedule stopped, where somebody else can schedule it again."""


def why_stopped(why: str) -> str:
    """Why a schedule stopped, and what to do: sentences."""
    if why == "length":
        return _(
            "It stopped because its list has more than {most} people, too many for a PDF. End it, and schedule it again"
            " as Excel or CSV, or for one clinic."
        ).format(most=shown_number(MOST_PEOPLE))
    text = _("It stopped: {reason}. End it, and let somebody who may read the report schedule it again.")
    return text.format(reason=_(STOPPED[why]))
