"""MER tables as a PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.web.typesetting import plain, typeset
from tenants.reports import mer

if TYPE_CHECKING:
    from tenants.cohort.service import IndicatorReport

_SOURCE: Final = """
#let report = json("report.json")
#set document(title: report.title)
#set page(paper: "a4", flipped: true, margin: 1.5cm, numbering: "1 / 1")
#set text(size: 8pt, lang: "en")
#show table.cell.where(y: 0): strong
= #report.title
#report.subtitle
#for sheet in report.sheets [
  == #sheet.title
  #table(
    columns: sheet.columns.len(),
    stroke: 0.4pt + gray,
    inset: 3pt,
    table.header(..sheet.columns),
    ..sheet.rows.flatten()
  )
]
"""


def title(report: IndicatorReport) -> str:
    """The title of the tables: their period, and the day to which they count if it runs."""
    so_far = "" if report.as_of >= report.period.end else f", so far: until {report.as_of}"
    return f"MER indicators, {report.period.start} to {report.period.end}{so_far}"


def mer_pdf(report: IndicatorReport) -> bytes:
    """MER tables, one for each indicator, with the definitions at the end."""
    sheets = [
        {
            "title": table.title,
            "columns": [_heading(column) for column in table.columns],
            "rows": [["" if cell is None else plain(str(cell)) for cell in row] for row in table.rows],
        }
        for table in mer.tables(report)
    ]
    content: dict[str, object] = {
        "title": title(report),
        "subtitle": report.definition,
        "sheets": [sheet for sheet in sheets if sheet["rows"]],
    }
    return typeset(_SOURCE, content)


def _heading(column: str) -> str:
    return column.replace("_", " ")
