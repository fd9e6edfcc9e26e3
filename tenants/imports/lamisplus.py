"""The LAMIS+ pharmacy list (csv, xlsx): one row per pick-up, the longitudinal file of a LAMIS+ site.

Headings are told by their letters and digits alone, so case, spaces and dots do not matter.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from core.clock import now
from tenants.imports import values
from tenants.imports.facts import DispensationFact, FacilityFact, PatientFact, Reading, Rejection
from tenants.imports.plans import SEPARATOR
from tenants.imports.reader import CERTAIN, NO, Position
from tenants.imports.sources import refused
from tenants.imports.tabular import Row, find_delimiter, find_encoding, open_table
from tenants.imports.values import BadValueError
from tenants.imports.workbook import Formula, fold, open_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tenants.imports.mapping import Mapping
    from tenants.imports.sources import Head, Source

HEADINGS = {
    "Facility Name": "facility_name",
    "DATIM Id": "datim_id",
    "Patient Id": "patient_id",
    "Hospital Num": "hospital_number",
    "Date Visit": "date_visit",
    "Regimen Line": "regimen_line",
    "Regimens": "regimen",
    "Refill Period": "refill",
    "MMD_Type": "mmd_type",
    "Next Appointment": "next_appointment",
    "DSD Model": "dsd_model",
}
NEEDED = ("DATIM Id", "Patient Id", "Date Visit", "Refill Period")
ALSO_CALLED = {
    "hospitalnumber": "hospital_number",
    "datevisited": "date_visit",
    "regimen": "regimen",
    "refillperioddays": "refill",
}
DATES = ("iso", "dd-Mon-yyyy", "excel", "%d/%m/%Y")
MONTHS_AT_MOST = 12
SAMPLE_ROWS = 2000

_FIELD_OF = {fold(heading): field for heading, field in HEADINGS.items()} | ALSO_CALLED
_LABELS = {
    "date_dispensed": "Date Visit",
    "days_supplied": "Refill Period",
    "next_appointment": "Next Appointment",
    "regimen": "Regimens",
    "regimen_line": "Regimen Line",
    "dsd_model": "DSD Model",
    "patient": "Patient Id",
    "datim_id": "DATIM Id",
    "name": "Facility Name",
}

Cells = dict[str, Any]


class PharmacyList:
    """Reads LAMIS+ pharmacy lists.

    A mapping is optional: data date, refill unit, source, date forms, missing texts, cohort rules.
    """

    name: ClassVar[str] = "lamisplus-pharmacy"
    description: ClassVar[str] = "LAMIS+ pharmacy list (csv, xlsx): one row per pick-up"
    mapping_needed: ClassVar[bool] = False

    def detect(self, head: Head) -> float:
        """Certain when the headings are there; a workbook is opened to see them when it is read."""
        if head.container == "zip":
            return CERTAIN if head.name.casefold().endswith((".xlsx", ".xlsm")) else NO
        first = head.data.split(b"\n", 1)[0].decode(find_encoding(head.data), errors="replace").lstrip("\ufeff")
        found = {fold(cell.strip().strip('"')) for cell in first.split(find_delimiter(first))}
        return CERTAIN if {fold(heading) for heading in NEEDED} <= found else NO

    def data_date(self, sources: Sequence[Source], mapping: Mapping) -> date | None:
        """The mapping's constant, else the latest pick-up of the lists that does not lie in the future."""
        if mapping.data_date is not None:
            if isinstance(mapping.data_date, date):
                return mapping.data_date
            raise refused(
                "mapping",
                "data_date of this format is a date, not a column",
                "write data_date: 2026-06-30, or give --data-date",
            )
        formats, limit, latest = _formats(mapping), now().date(), None
        for source in sources:
            with _open(source) as rows:
                for _, cells, rejection in rows:
                    if rejection is not None:
                        continue
                    try:
                        found = values.day(cells.get("date_visit"), formats)
                    except BadValueError:
                        continue
                    if found <= limit and (latest is None or found > latest):
                        latest = found
        return latest

    def read(self, sources: Sequence[Source], mapping: Mapping, *, after: Position | None = None) -> Iterator[Reading]:
        """One reading per row: the facility, the patient and the pick-up."""
        formats, missing = _formats(mapping), frozenset(mapping.missing) | {""}
        for number, source in enumerate(sources):
            if after is not None and number < after.file:
                continue
            skip = after.line if after is not None and number == after.file else 0
            unit = mapping.refill.unit if mapping.refill else _refill_unit(source)
            with _open(source) as rows:
                for line, cells, rejection in rows:
                    if line <= skip:
                        continue
                    reading = Reading(number, line)
                    if rejection is not None:
                        reading.rejections.append(rejection)
                    else:
                        _Pickup(cells, formats, missing, unit).into(reading)
                    yield reading


class _Pickup:
    """One row of the list."""

    def __init__(self, cells: Cells, formats: tuple[str, ...], missing: frozenset[str], unit: str) -> None:
        self._cells = cells
        self._formats = formats
        self._missing = missing
        self._unit = unit
        self._problems: list[Rejection] = []

    def into(self, reading: Reading) -> None:
        """Add the row's facts, or the reasons why it is refused."""
        datim_id = self._needed("datim_id", "DATIM Id")
        patient = self._needed("patient_id", "Patient Id")
        when = self._day("date_visit", "Date Visit")
        if when is None and not self._problems:
            self._problems.append(Rejection("Date Visit", "the value is missing", "fill it in"))
        supply = self._days()
        following = self._day("next_appointment", "Next Appointment")
        texts = {
            name: self._text(name)
            for name in ("facility_name", "hospital_number", "regimen", "regimen_line", "dsd_model")
        }
        if self._problems or when is None:
            reading.rejections.extend(self._problems)
            return
        reading.facts += [
            FacilityFact(key=datim_id, name=texts["facility_name"], labels=_LABELS),
            PatientFact(
                key=patient,
                patient=patient,
                facility=datim_id,
                labels=_LABELS,
                pepfar_id=patient,
                hospital_number=texts["hospital_number"],
                derived_on=when,
            ),
            DispensationFact(
                key=SEPARATOR.join((patient, when.isoformat(), texts["regimen"] or "")),
                patient=patient,
                facility=datim_id,
                labels=_LABELS,
                date_dispensed=when,
                days_supplied=supply,
                regimen=texts["regimen"],
                regimen_line=texts["regimen_line"],
                next_appointment=following,
                dsd_model=texts["dsd_model"],
            ),
        ]

    def _raw(self, name: str, label: str) -> object:
        found = self._cells.get(name)
        if isinstance(found, Formula):
            self._problems.append(
                Rejection(label, "the cell holds a formula", "replace formulas by their values (paste values) and save")
            )
            return None
        if isinstance(found, str) and not found.isprintable():
            self._problems.append(Rejection(label, "the cell holds a control character", "type the cell again"))
            return None
        return None if values.text(found) in self._missing else found

    def _text(self, name: str) -> str | None:
        found = self._raw(name, _HEADING_OF[name])
        return None if found is None else values.text(found)[:2000]

    def _needed(self, name: str, label: str) -> str:
        before = len(self._problems)
        found = self._raw(name, label)
        if found is None:
            if len(self._problems) == before:
                self._problems.append(
                    Rejection(label, "the identifier is missing", "fill it in: a row without it belongs to nobody")
                )
            return ""
        try:
            return values.whole_number(found)
        except BadValueError as bad:
            self._problems.append(Rejection(label, bad.problem, bad.remedy))
            return ""

    def _day(self, name: str, label: str) -> date | None:
        found = self._raw(name, label)
        if found is None:
            return None
        try:
            return values.day(found, self._formats)
        except BadValueError as bad:
            self._problems.append(Rejection(label, bad.problem, bad.remedy))
            return None

    def _days(self) -> int | None:
        found = self._raw("refill", "Refill Period")
        if found is None:
            return None
        try:
            return values.days(found, self._unit)
        except BadValueError as bad:
            self._problems.append(Rejection("Refill Period", bad.problem, bad.remedy))
            return None


_HEADING_OF = {field: heading for heading, field in HEADINGS.items()}


def _formats(mapping: Mapping) -> tuple[str, ...]:
    given = "date_formats" in mapping.model_fields_set
    return tuple(mapping.date_formats) if given else DATES


def _refill_unit(source: Source) -> str:
    """Days or months: months when none of the first rows exceeds a year in months and most are six or fewer.

    Raises:
        Invalid: the numbers fit both.
    """
    seen: list[float] = []
    with _open(source) as rows:
        for _, cells, rejection in rows:
            if rejection is None:
                try:
                    seen.append(values.number(cells.get("refill")))
                except BadValueError:
                    continue
            if len(seen) >= SAMPLE_ROWS:
                break
    if not seen or max(seen) > MONTHS_AT_MOST:
        few = [value for value in seen if value > MONTHS_AT_MOST]
        if not seen or len(few) * 2 > len(seen):
            return "days"
    elif all(value.is_integer() for value in seen):
        return "months"
    problem = "the refill period may be in days or in months"
    raise refused(
        source.name, problem, "say which in a mapping: 'format: lamisplus-pharmacy' and 'refill: {unit: days}'"
    )


@contextmanager
def _open(source: Source) -> Iterator[Iterator[tuple[int, Cells, Rejection | None]]]:
    """The rows of a list: line, cells by field, and why the row cannot be read."""
    if source.head().container == "zip":
        with open_sheet(source, [fold(heading) for heading in NEEDED]) as sheet:
            fields = [_FIELD_OF.get(heading) for heading in sheet.headings]
            yield (
                (line, {name: cell for name, cell in zip(fields, cells, strict=False) if name}, None)
                for line, cells in sheet.rows
            )
        return
    with open_table(source) as table:
        fields = [_FIELD_OF.get(fold(heading)) for heading in table.headings]
        for heading in NEEDED:
            if _FIELD_OF[fold(heading)] not in fields:
                raise refused(
                    source.name, f"it has no column {heading!r}", "give a LAMIS+ pharmacy list, or another --format"
                )
        yield (_named(row, fields) for row in table.rows)


def _named(row: Row, fields: Sequence[str | None]) -> tuple[int, Cells, Rejection | None]:
    return row.line, {name: cell for name, cell in zip(fields, row.cells, strict=False) if name}, row.rejection
