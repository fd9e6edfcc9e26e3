"""The reasons of a risk in the reader's language.

A score stores its reasons in English (``tenants.risk.wording``), because a job makes them for nobody in particular.
Each reason is one or more clauses of a closed list; a test takes every sentence of the scoring through this one.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from core.web.texts import SOURCE, language, marked, ngettext, shown_number
from core.web.texts import gettext as _

if TYPE_CHECKING:
    from collections.abc import Callable

    Clause = tuple[str, Callable[[re.Match[str]], str]]

_SPAN: Final = r"(?:\d+ (?:day|month|year)s?|\d+ days or more)"
_OCCASION: Final = "appointment|refill|visit"
_SEPARATORS: Final = re.compile(r"(, |; )")

_LATENESS_UNKNOWN: Final = {
    "appointment": marked("lateness at earlier appointments is not known"),
    "refill": marked("lateness at earlier refills is not known"),
    "visit": marked("lateness at earlier visits is not known"),
}
_LATE: Final = {
    "appointment": marked("{span} late at the last appointment"),
    "refill": marked("{span} late at the last refill"),
    "visit": marked("{span} late at the last visit"),
}
_ON_TIME: Final = {
    "appointment": marked("on time at the last appointment"),
    "refill": marked("on time at the last refill"),
    "visit": marked("on time at the last visit"),
}
_WORDS: Final = {
    text: text
    for text in (
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
    )
}
"""Clauses without a number."""

_WEEKDAYS: Final = {
    "Monday": marked("a Monday"),
    "Tuesday": marked("a Tuesday"),
    "Wednesday": marked("a Wednesday"),
    "Thursday": marked("a Thursday"),
    "Friday": marked("a Friday"),
    "Saturday": marked("a Saturday"),
    "Sunday": marked("a Sunday"),
}
_MONTHS: Final = {
    "January": marked("in January"),
    "February": marked("in February"),
    "March": marked("in March"),
    "April": marked("in April"),
    "May": marked("in May"),
    "June": marked("in June"),
    "July": marked("in July"),
    "August": marked("in August"),
    "September": marked("in September"),
    "October": marked("in October"),
    "November": marked("in November"),
    "December": marked("in December"),
}


def reason_text(english: str) -> str:
    """Return a reason in the reader's language; a clause that is not one of the list stays as it is."""
    if language() == SOURCE:
        return english
    return "".join(
        part if _SEPARATORS.fullmatch(part) else _clause(part) for part in _SEPARATORS.split(english) if part
    )


def is_known(clause: str) -> bool:
    """Return whether a clause is one of the list."""
    return clause in _WORDS or any(pattern.fullmatch(clause) for pattern, _shown in _patterns())


def clauses_of(english: str) -> list[str]:
    """Return the clauses of a reason."""
    return _SEPARATORS.split(english)[::2]


def _clause(clause: str) -> str:
    if clause in _WORDS:
        return _(clause)
    for pattern, shown in _patterns():
        match = pattern.fullmatch(clause)
        if match is not None:
            return shown(match)
    return clause


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]:
    return tuple((re.compile(form), shown) for form, shown in (*_SPANS, *_COUNTS, *_NUMBERS))


def _span(text: str) -> str:
    """Return a length of time, such as ``3 months``."""
    number, unit, *more = text.split()
    count = int(number)
    if more:
        return _("{count} days or more").format(count=shown_number(count))
    if unit.startswith("day"):
        return ngettext("{count} day", "{count} days", count)
    if unit.startswith("month"):
        return ngettext("{count} month", "{count} months", count)
    return ngettext("{count} year", "{count} years", count)


def _plain(number: str) -> str:
    return shown_number(float(number.replace(",", "")), 1)


_SPANS: Final[tuple[Clause, ...]] = (
    (rf"lateness at earlier ({_OCCASION})s is not known", lambda match: _(_LATENESS_UNKNOWN[match[1]])),
    (rf"({_SPAN}) late at the last ({_OCCASION})", lambda match: _(_LATE[match[2]]).format(span=_span(match[1]))),
    (rf"on time at the last ({_OCCASION})", lambda match: _(_ON_TIME[match[1]])),
    (
        rf"({_SPAN}) late at worst of the last 10",
        lambda match: _("{span} late at worst of the last 10").format(span=_span(match[1])),
    ),
    (rf"back for ({_SPAN})", lambda match: _("back for {span}").format(span=_span(match[1]))),
    (rf"expected in ({_SPAN})", lambda match: _("expected in {span}").format(span=_span(match[1]))),
    (rf"({_SPAN}) after it was set", lambda match: _("{span} after it was set").format(span=_span(match[1]))),
    (rf"usually comes every ({_SPAN})", lambda match: _("usually comes every {span}").format(span=_span(match[1]))),
    (rf"now asked for ({_SPAN})", lambda match: _("now asked for {span}").format(span=_span(match[1]))),
    (rf"({_SPAN}) on ART", lambda match: _("{span} on ART").format(span=_span(match[1]))),
    (rf"viral load sample ({_SPAN}) ago", lambda match: _("viral load sample {span} ago").format(span=_span(match[1]))),
    (rf"CD4 sample ({_SPAN}) ago", lambda match: _("CD4 sample {span} ago").format(span=_span(match[1]))),
    (rf"({_SPAN}) ago", lambda match: _("{span} ago").format(span=_span(match[1]))),
)
"""Clauses with a length of time."""

_COUNTS: Final[tuple[Clause, ...]] = (
    (
        r"(\d+) earlier interruptions?",
        lambda match: ngettext("{count} earlier interruption", "{count} earlier interruptions", int(match[1])),
    ),
    (
        r"(\d+) other bookings? ahead",
        lambda match: ngettext("{count} other booking ahead", "{count} other bookings ahead", int(match[1])),
    ),
    (
        r"(\d+) contacts? in the last year",
        lambda match: ngettext("{count} contact in the last year", "{count} contacts in the last year", int(match[1])),
    ),
    (
        r"(\d+) contacts? in all",
        lambda match: ngettext("{count} contact in all", "{count} contacts in all", int(match[1])),
    ),
    (
        r"(\d+) days? of ARVs given last",
        lambda match: ngettext("{count} day of ARVs given last", "{count} days of ARVs given last", int(match[1])),
    ),
    (
        r"(\d+) changes? of regimen",
        lambda match: ngettext("{count} change of regimen", "{count} changes of regimen", int(match[1])),
    ),
    (r"(\d+) years old", lambda match: ngettext("{count} year old", "{count} years old", int(match[1]))),
    (
        r"(\d+) of 7 facts not recorded",
        lambda match: _("{count} of 7 facts not recorded").format(count=match[1]),
    ),
)
"""Clauses that count."""

_NUMBERS: Final[tuple[Clause, ...]] = (
    (
        r"late at (\d+) of the last (\d+)",
        lambda match: _("late at {count} of the last {all}").format(count=match[1], all=match[2]),
    ),
    (
        r"last viral load ([\d,]+) copies/mL",
        lambda match: _("last viral load {number} copies/mL").format(number=_plain(match[1])),
    ),
    (r"last CD4 (\d+) cells/mm3", lambda match: _("last CD4 {number} cells/mm3").format(number=_plain(match[1]))),
    (r"WHO stage (\d+)", lambda match: _("WHO stage {number}").format(number=match[1])),
    (
        r"weight ([+-])([\d.]+) kg",
        lambda match: _("weight {change} kg").format(change=f"{match[1]}{_plain(match[2])}"),
    ),
    (
        r"(\d+)% interrupted at the facility in the year before",
        lambda match: _("{share}% interrupted at the facility in the year before").format(share=match[1]),
    ),
    (
        rf"expected on a ({'|'.join(_WEEKDAYS)}) in ({'|'.join(_MONTHS)})",
        lambda match: _("expected on {weekday} {month}").format(
            weekday=_(_WEEKDAYS[match[1]]), month=_(_MONTHS[match[2]])
        ),
    ),
)
"""Clauses with other numbers, or with words of the calendar."""
