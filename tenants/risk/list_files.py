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

    from tenants.risk.presenting import Shown

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
    "outcome": "What came of it",
}
PERSONAL: Final = "This page names people and their phones: keep it locked away, and destroy it when it is done."


def as_file(form: str, lists: Sequence[Shown]) -> bytes:
    """Lists as one file of this form: a key of :data:`MEDIA`."""
    if form != "xlsx":
        return b"".join(pieces(form, lists))
    file = BytesIO()
    as_workbook(lists, file)
    return file.getvalue()


def pieces(form: str, lists: Iterable[Shown]) -> Iterator[bytes]:
    """Lists, or one list clinic by clinic, as CSV or pages to print, piece by piece.

    Nothing is given before the first list is read, so that one that is not there is an error and no broken file.
    """
    return {"csv": _lines, "html": _pages}[form](lists)


def _lines(lists: Iterable[Shown]) -> Iterator[bytes]:
    """Rows of all lists under one head; a text that a spreadsheet would take for a formula is quoted."""
    for number, found in enumerate(lists):
        columns = _columns(found)
        cells = [_cells([row.get(column) for column in columns]) for row in presenting.rows(found)]
        yield csv_lines(cells if number else [columns, *cells])


def as_workbook(lists: Iterable[Shown], file: BinaryIO) -> None:
    """Write a sheet for each kind of list, and one that says what they are."""
    book, about = Workbook(), []
    for kind, own in groupby(lists, key=lambda found: found.worklist.kind):
        first = next(own)
        columns = _columns(first)
        rows = (row for found in chain((first,), own) for row in presenting.rows(found))
        book.sheet(kind, columns, (_cells([row.get(column) for column in columns]) for row in rows))
        about += [(_title(first), line) for line in _notes(first)]
    book.sheet("about", ("list", "what to know"), about)
    book.save(file)


def _pages(lists: Iterable[Shown]) -> Iterator[bytes]:
    """A page to print for each clinic and list, with columns to write in what was done."""
    pages = 0
    for number, found in enumerate(lists):
        if not number:
            yield (
                '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Lists</title>'
                f"<style>{_STYLE}</style></head><body>\n"
            ).encode()
        for clinic, own in groupby(presenting.rows(found), key=lambda row: (row["facility"], row["clinic"])):
            yield f"{_page(found, clinic, list(own))}\n".encode()
            pages += 1
    yield b"</body></html>\n" if pages else b"<p>Nobody is on these lists.</p>\n</body></html>\n"


def _page(found: Shown, clinic: tuple[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    datim_id, name = clinic
    columns = _page_columns(found)
    heads = "".join(f"<th>{_HEADINGS[column]}</th>" for column in columns)
    lines = "\n".join(
        "<tr>" + "".join(f"<td>{_text(row, column)}</td>" for column in columns) + "</tr>" for row in rows
    )
    notes = "".join(f'<p class="note">{escape(line)}</p>' for line in _notes(found))
    return (
        f"<section><h1>{escape(name or datim_id)}</h1>"
        f"<h2>{escape(_title(found))}: {len(rows)} of {rows[0]['of']:,}. Facility {escape(datim_id)}.</h2>\n"
        f"<table><thead><tr>{heads}</tr></thead><tbody>\n{lines}\n</tbody></table>\n{notes}</section>"
    )


def _page_columns(found: Shown) -> tuple[str, ...]:
    who = ("patient_id",) if found.identities is None else presenting.IDENTITIES
    how = ("days_late",) if found.worklist.kind == "to_trace" else ("risk", "risk_level")
    return ("rank", *who, "expected_date", *how, "reasons", "called", "outcome")


def _text(row: Mapping[str, Any], column: str) -> str:
    if column == "risk":
        return f"{row['score']:.0%}"
    value = row.get(column)
    return "" if value is None else escape(str(value))


def _notes(found: Shown) -> list[str]:
    kept = found.worklist
    notes = [f"Scored by {kept.model_version} on records to {kept.data_date}.", found.meaning]
    if kept.note:
        notes.append(kept.note)
    if stale := [facility["name"] or facility["datim_id"] for facility in kept.facilities if facility["stale"]]:
        notes.append(f"No list for {', '.join(stale)}: their records end too early for this day.")
    if found.identities is not None:
        notes.append(PERSONAL)
    return notes


def _title(found: Shown) -> str:
    return presenting.title(found.worklist.kind, found.worklist.as_of, found.worklist.due_within)


def _columns(found: Shown) -> tuple[str, ...]:
    return presenting.columns(identities=found.identities is not None)


def _cells(row: Sequence[Any]) -> list[Any]:
    return [
        value if isinstance(value, str | int | float | None) or hasattr(value, "isoformat") else str(value)
        for value in row
    ]
