"""The line list on paper: A4 landscape, clinic by clinic, in the language of the person who asked for it."""

from __future__ import annotations

from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from core.web.texts import gettext as _
from core.web.texts import marked, ngettext, shown_date, shown_number, shown_time
from core.web.typesetting import plain, typeset
from tenants.reports import linelist

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from core.web.tables import Cell

MOST_PEOPLE: Final = 2_000
"""Most people of a list on paper: setting it takes 2 s of a processor and 0.5 GB of memory."""

_COLUMNS: Final[dict[str, tuple[str, tuple[float, str]]]] = {
    "patient_id": (marked("Patient"), (17, "em")),
    "hospital_number": (marked("Hospital number"), (1.2, "fr")),
    "pepfar_id": (marked("Programme number"), (1.4, "fr")),
    "sex": (marked("Sex"), (2.8, "em")),
    "age_years": (marked("Age in years"), (3.4, "em")),
    "art_start_date": (marked("Start of ART"), (6, "em")),
    "status": (marked("Status"), (7.5, "em")),
    "status_date": (marked("Status since"), (6, "em")),
    "last_pickup": (marked("Last pick-up"), (6, "em")),
    "days_supplied": (marked("Days supplied"), (4.6, "em")),
    "expected_date": (marked("Expected"), (6, "em")),
    "days_late": (marked("Days late"), (4.2, "em")),
    "regimen": (marked("Regimen"), (1.2, "fr")),
    "viral_load_copies_ml": (marked("Viral load"), (4.6, "em")),
    "viral_load_date": (marked("Test date"), (6, "em")),
    "case_manager": (marked("Case manager"), (1.6, "fr")),
    "risk_level": (marked("Risk"), (4.2, "em")),
}
"""The columns that fit on a page, with their headings and widths; a long heading wraps."""
_WORDS: Final[dict[str, dict[str, str]]] = {
    "status": {
        "none": marked("Not started"),
        "active": marked("On treatment"),
        "iit": marked("Interrupted"),
        "died": marked("Died"),
        "transferred_out": marked("Transferred"),
        "stopped": marked("Stopped"),
        "unknown": marked("Unknown"),
        "invalid": marked("Invalid"),
    },
    "risk_level": {"high": marked("High"), "medium": marked("Medium"), "low": marked("Low")},
}
_SOURCE: Final = """
#let report = json("report.json")
#set document(title: report.title)
#set page(paper: "a4", flipped: true, margin: 1.2cm,
  footer: [#report.title #h(1fr) #context counter(page).display("1 / 1", both: true)])
#set text(font: ("Libertinus Serif", "DejaVu Sans Mono"), size: 7pt, lang: report.language)
#show heading: set block(below: 0.6em)
= #report.title
#for line in report.about [#line \\ ]
#for clinic in report.clinics [
  #table(
    columns: report.widths.map(((size, unit)) => size * if unit == "em" { 1em } else { 1fr }),
    stroke: (x, y) => if y > 0 { (bottom: 0.4pt + gray) },
    inset: 2.5pt,
    table.header(
      table.cell(colspan: report.columns.len(), inset: (x: 2.5pt, top: 6pt, bottom: 3pt))[
        #text(size: 9pt, weight: "bold", clinic.name) #h(1em) #clinic.about
      ],
      ..report.columns.map(strong)
    ),
    ..clinic.rows.flatten()
  )
]
"""


def line_list_pdf(
    rows: Sequence[Sequence[Cell]],
    day: date,
    *,
    identifiers: bool,
    asked_by: str,
    asked_at: datetime,
    zone: ZoneInfo,
    language: str,
) -> bytes:
    """The rows of a line list as a PDF.

    Args:
        rows: cells in the order of ``linelist.columns``.
        day: the day of the list.
        identifiers: whether the rows have programme identifier and hospital number.
        asked_by: who asked for it, as the page shows it.
        asked_at: when they did.
        zone: the tenant's time zone.
        language: code of the language of the current texts.
    """
    columns = linelist.columns(identifiers=identifiers)
    people = sorted((dict(zip(columns, row, strict=True)) for row in rows), key=_order)
    shown = [name for name in _COLUMNS if name in columns and not (identifiers and name == "patient_id")]
    title = _("Line list of patients, {day}").format(day=shown_date(day, "long"))
    content: dict[str, Any] = {
        "title": title,
        "language": language,
        "about": [
            _("Asked for by {person} on {time}.").format(person=asked_by, time=shown_time(asked_at, zone)),
            _("{shown} of the {all} columns are on this page; the xlsx and csv files have all of them.").format(
                shown=len(shown), all=len(columns)
            ),
            _("This list is about people's health: keep it locked away, and destroy it when it is done."),
        ],
        "widths": [_COLUMNS[name][1] for name in shown],
        "columns": [_(_COLUMNS[name][0]) for name in shown],
        "clinics": [_clinic(list(own), shown) for _key, own in groupby(people, key=lambda row: (row["facility"],))],
    }
    return typeset(_SOURCE, content)


def _clinic(people: Sequence[dict[str, Cell]], shown: Sequence[str]) -> dict[str, Any]:
    first = people[0]
    about = [ngettext("{count} patient", "{count} patients", len(people))]
    if isinstance(first["data_date"], date):
        about.append(_("records to {day}").format(day=shown_date(first["data_date"])))
    if isinstance(first["complete_through"], date):
        about.append(_("complete through {day}").format(day=shown_date(first["complete_through"])))
    return {
        "name": plain(f"{first['facility_name'] or ''} ({first['facility']})"),
        "about": " · ".join(about),
        "rows": [[_text(name, row[name]) for name in shown] for row in people],
    }


def _order(row: dict[str, Cell]) -> tuple[str, str, date, str]:
    """By clinic; in it those expected first, people without an expected contact last."""
    expected = row["expected_date"]
    day = expected if isinstance(expected, date) else date.max
    return str(row["facility_name"] or ""), str(row["facility"]), day, str(row["patient_id"])


def _text(name: str, cell: Cell) -> str:
    if cell is None:
        return ""
    if name in _WORDS:
        return _(_WORDS[name].get(str(cell), str(cell)))
    if isinstance(cell, date):
        return cell.isoformat()
    return shown_number(cell) if isinstance(cell, float) else plain(str(cell))
