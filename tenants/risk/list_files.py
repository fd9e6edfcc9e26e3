"""Issued lists as files: CSV, a workbook, and pages to print, one for each clinic."""

from __future__ import annotations

from html import escape
from io import BytesIO
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any, Final

from core.web.tables import MEDIA_TYPES, Workbook, csv_lines
from tenants.risk import presenting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from tenants.risk.presenting import WorklistView

MEDIA: Final[Mapping[str, str]] = {
    "csv": MEDIA_TYPES["csv"],
    "xlsx": MEDIA_TYPES["xlsx"],
    "html": "text/html; charset=utf-8",
}
_STYLE: Final = (
    "body{font:11pt sans-serif;margin:1.5em}h1{font-size:14pt;margin:0}"
    "h2{font-size:11pt;font-weight:normal;margin:.3em 0}"
    "table{border-collapse:collapse;width:100%;margin-top:.6em}th,td{border:1px solid #777;padding:.25em .4em;"
    "text-align:left;vertical-align:top}thead{display:table-header-group}tr{break-inside:avoid}.note{font-size:9pt}"
    "section+section{break-before:page}@page{size:A4 landscape;margin:12mm}"
)
_HEADINGS: Final[Mapping[str, str]] = {
    "rank": "No.",
    "name": "Name",
    "phone": "Phone",
    "hospital_number": "Hospital number",
    "pepfar_id": "Programme identifier",
    "patient_id": "Patient",
    "expected_date": "Expected",
    "days_late": "Days late",
    "risk": "Risk",
    "risk_level": "Level",
    "reasons": "Why",
    "called": "Called on",
    "outcome": "Outcome",
}
PERSONAL: Final = "This page names people and their phones: keep it locked away, and destroy it when it is done."


def as_file(form: str, lists: Sequence[WorklistView]) -> bytes:
    """Return lists as one file of this form, a key of :data:`MEDIA`."""
    if form != "xlsx":
        return b"".join(pieces(form, lists))
    file = BytesIO()
    as_workbook(lists, file)
    return file.getvalue()


def pieces(form: str, lists: Iterable[WorklistView]) -> Iterator[bytes]:
    """Yield lists as CSV or as pages to print, piece by piece: whole lists, or one list clinic by clinic.

    Nothing is yielded before the first list is read, so a missing list is an error and not a broken file.
    """
    return {"csv": _lines, "html": _pages}[form](lists)


def _lines(lists: Iterable[WorklistView]) -> Iterator[bytes]:
    """Yield the rows of all lists under one heading. A text that a spreadsheet would run as a formula is guarded."""
    for number, view in enumerate(lists):
        columns = _columns(view)
        cells = [_cells([row.get(column) for column in columns]) for row in presenting.rows(view)]
        yield csv_lines(cells if number else [columns, *cells])


def as_workbook(lists: Iterable[WorklistView], file: BinaryIO) -> None:
    """Write a sheet for each kind of list, and a sheet that explains them."""
    about = []
    with Workbook() as book:
        for kind, own in groupby(lists, key=lambda view: view.worklist.kind):
            first = next(own)
            columns = _columns(first)
            rows = (row for view in chain((first,), own) for row in presenting.rows(view))
            book.sheet(kind, columns, (_cells([row.get(column) for column in columns]) for row in rows))
            about += [(_title(first), line) for line in _notes(first)]
        book.sheet("about", ("list", "what to know"), about)
        book.save(file)


def _pages(lists: Iterable[WorklistView]) -> Iterator[bytes]:
    """A page to print for each clinic and list, with empty columns for notes."""
    pages = 0
    for number, view in enumerate(lists):
        if not number:
            yield (
                '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Lists</title>'
                f"<style>{_STYLE}</style></head><body>\n"
            ).encode()
        for clinic, own in groupby(presenting.rows(view), key=lambda row: (row["facility"], row["clinic"])):
            yield f"{_page(view, clinic, list(own))}\n".encode()
            pages += 1
    yield b"</body></html>\n" if pages else b"<p>Nobody is on these lists.</p>\n</body></html>\n"


def _page(view: WorklistView, clinic: tuple[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    datim_id, name = clinic
    columns = _page_columns(view)
    heads = "".join(f"<th>{_HEADINGS[column]}</th>" for column in columns)
    lines = "\n".join(
        "<tr>" + "".join(f"<td>{_text(row, column)}</td>" for column in columns) + "</tr>" for row in rows
    )
    notes = "".join(f'<p class="note">{escape(line)}</p>' for line in _notes(view))
    return (
        f"<section><h1>{escape(name or datim_id)}</h1>"
        f"<h2>{escape(_title(view))}: {len(rows)} of {rows[0]['of']:,}. Facility {escape(datim_id)}.</h2>\n"
        f"<table><thead><tr>{heads}</tr></thead><tbody>\n{lines}\n</tbody></table>\n{notes}</section>"
    )


def _page_columns(view: WorklistView) -> tuple[str, ...]:
    identity_columns = ("patient_id",) if view.identities is None else presenting.IDENTITIES
    order_columns = ("days_late",) if view.worklist.kind == "to_trace" else ("risk", "risk_level")
    return ("rank", *identity_columns, "expected_date", *order_columns, "reasons", "called", "outcome")


def _text(row: Mapping[str, Any], column: str) -> str:
    if column == "risk":
        return f"{row['score']:.0%}"
    value = row.get(column)
    return "" if value is None else escape(str(value))


def _notes(view: WorklistView) -> list[str]:
    worklist = view.worklist
    notes = [f"Scored by {worklist.model_version} on records to {worklist.data_date}.", view.meaning]
    if worklist.note:
        notes.append(worklist.note)
    if stale := [facility["name"] or facility["datim_id"] for facility in worklist.facilities if facility["stale"]]:
        notes.append(f"No list for {', '.join(stale)}: their records end too early for this day.")
    if view.identities is not None:
        notes.append(PERSONAL)
    return notes


def _title(view: WorklistView) -> str:
    return presenting.title(view.worklist.kind, view.worklist.as_of, view.worklist.due_within)


def _columns(view: WorklistView) -> tuple[str, ...]:
    return presenting.columns(identities=view.identities is not None)


def _cells(row: Sequence[Any]) -> list[Any]:
    return [
        value if isinstance(value, str | int | float | None) or hasattr(value, "isoformat") else str(value)
        for value in row
    ]
