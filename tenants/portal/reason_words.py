"""The reasons of a risk in the reader's language.

A score stores its reasons in English (``tenants.risk.wording``), because a job makes them for nobody in particular.
Each reason is one or more clauses; this table has every clause that the scoring writes, so that catalogues have them.
"""

from __future__ import annotations

import re
from typing import Final

from core.web.stored_texts import shown_stored
from core.web.texts import marked, marked_forms

_SEPARATORS: Final = re.compile(r"(, |; )")

CLAUSES: Final = (
    marked("no earlier interruption"),
    marked("expected on the day"),
    marked("no usual interval yet"),
    marked("regularly"),
    marked("irregularly"),
    marked("fairly regularly"),
    marked("no contact so far"),
    marked("start of ART not known"),
    marked("came from another facility"),
    marked("first line"),
    marked("second line"),
    marked("third line"),
    marked("regimen: dolutegravir"),
    marked("regimen: efavirenz or nevirapine"),
    marked("regimen: protease inhibitor"),
    marked("regimen: other"),
    marked("supply and regimen not recorded"),
    marked("no result"),
    marked("no viral load"),
    marked("no CD4"),
    marked("adherence poor"),
    marked("adherence fair"),
    marked("adherence good"),
    marked("pregnant"),
    marked("breastfeeding"),
    marked("clinical state not recorded"),
    marked("age not recorded"),
    marked("female"),
    marked("male"),
    marked("the facility's history is not known"),
    marked("lateness at earlier appointments is not known"),
    marked("lateness at earlier refills is not known"),
    marked("lateness at earlier visits is not known"),
    marked("on time at the last appointment"),
    marked("on time at the last refill"),
    marked("on time at the last visit"),
    marked("{span} late at the last appointment"),
    marked("{span} late at the last refill"),
    marked("{span} late at the last visit"),
    marked("{span} late at worst of the last 10"),
    marked("back for {span}"),
    marked("expected in {span}"),
    marked("{span} after it was set"),
    marked("usually comes every {span}"),
    marked("now asked for {span}"),
    marked("{span} on ART"),
    marked("viral load sample {span} ago"),
    marked("CD4 sample {span} ago"),
    marked("{span} ago"),
    marked("{count} of 7 facts not recorded"),
    marked("late at {count} of the last {all}"),
    marked("last viral load {number} copies/mL"),
    marked("last CD4 {number} cells/mm3"),
    marked("WHO stage {number}"),
    marked("weight {change} kg"),
    marked("{share}% interrupted at the facility in the year before"),
    marked("expected on a {weekday} in {month}"),
    marked_forms("{count} earlier interruption", "{count} earlier interruptions"),
    marked_forms("{count} other booking ahead", "{count} other bookings ahead"),
    marked_forms("{count} contact in the last year", "{count} contacts in the last year"),
    marked_forms("{count} contact in all", "{count} contacts in all"),
    marked_forms("{count} day of ARVs given last", "{count} days of ARVs given last"),
    marked_forms("{count} change of regimen", "{count} changes of regimen"),
    marked_forms("{count} year old", "{count} years old"),
)
"""The clauses of all reasons."""

SPANS: Final = (
    marked("{count} days or more"),
    marked_forms("{count} day", "{count} days"),
    marked_forms("{count} month", "{count} months"),
    marked_forms("{count} year", "{count} years"),
    *(marked("Monday"), marked("Tuesday"), marked("Wednesday"), marked("Thursday"), marked("Friday")),
    *(marked("Saturday"), marked("Sunday")),
    *(marked("January"), marked("February"), marked("March"), marked("April"), marked("May"), marked("June")),
    *(marked("July"), marked("August"), marked("September"), marked("October"), marked("November")),
    marked("December"),
)
"""What stands at the places of clauses: lengths of time, days of the week and months."""


def reason_text(english: str) -> str:
    """Return a reason in the reader's language; a clause that the catalogue does not have stays as it is."""
    return "".join(map(shown_stored, _SEPARATORS.split(english)))


def clauses_of(english: str) -> list[str]:
    """Return the clauses of a reason."""
    return _SEPARATORS.split(english)[::2]
