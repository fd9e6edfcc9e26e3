"""Build exports: lists in steps, each in its own transaction; tables and data value sets in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from core import audit
from core.web.tables import Workbook, csv_lines, json_lines
from tenants.cohort.calendar import quarter_of
from tenants.cohort.presenting import as_of_day, dimensions
from tenants.cohort.repository import facilities
from tenants.cohort.selection import Selection
from tenants.cohort.service import indicator_report
from tenants.cohort.so_far import covered_part
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tenants.reports import dhis2, linelist, mer, radet
from tenants.reports.reading import ListRequest, check_facility, step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from typing import BinaryIO
    from uuid import UUID

    from core.database import SessionOpener, TenantSession
    from core.web.tables import Cell
    from tenants.cohort.calendar import Period
    from tenants.cohort.service import IndicatorReport
    from tenants.reports.reading import Person


LINE_LIST: Final = "line-list"
RADET: Final = "radet"
MER: Final = "mer"
DEFAULT_BY: Final = "facility,sex,age"


@dataclass(frozen=True, slots=True)
class Export:
    """A list to export: its people, its headings, and how a person becomes a row."""

    request: ListRequest
    columns: tuple[str, ...]
    name: str

    def rows(self, people: Sequence[Person], before: int) -> list[tuple[Cell, ...]]:
        """Rows of these people; ``before`` rows came earlier."""
        if self.request.report == RADET:
            on_list = [person for person in people if radet.on_list(person)]
            return [radet.row(before + place, person, self.request) for place, person in enumerate(on_list, 1)]
        return [linelist.row(person, self.request) for person in people]


def export_of(
    session: TenantSession, report: str, *, as_of: date | None, facility: str | None, identifiers: bool
) -> Export:
    """The export of a list.

    Raises:
        Invalid: the facility is unknown, or the day is out of range.
    """
    day = as_of_day(session, as_of)
    datim_id = check_facility(session, facility)
    request = ListRequest(day, quarter_of(day), datim_id, identifiers, report)
    columns = HEADINGS if report == RADET else linelist.columns(identifiers=identifiers)
    return Export(request, columns, "-".join(part for part in (report, datim_id, day.isoformat()) if part))


def list_rows(open_session: SessionOpener, export: Export) -> Iterator[list[tuple[Cell, ...]]]:
    """Yield rows in steps. Each step commits, with its audit, before it yields its rows."""
    cursor: UUID | None = None
    count, more = 0, True
    while more:
        with open_session() as session:
            people, cursor = step(session, export.request, cursor)
            rows = export.rows(people, count)
        count += len(rows)
        more = cursor is not None
        yield rows


def list_lines(open_session: SessionOpener, export: Export, form: str) -> Iterator[bytes]:
    """The list as CSV or NDJSON, step by step."""
    if form == "csv":
        yield csv_lines([export.columns])
    for rows in list_rows(open_session, export):
        yield csv_lines(rows) if form == "csv" else json_lines(export.columns, rows)


def list_workbook(open_session: SessionOpener, export: Export, file: BinaryIO) -> int:
    """Write the list as xlsx; return the number of rows."""
    title = "RADET" if export.request.report == RADET else "Line list"
    with Workbook() as book:
        row_count = book.sheet(title, export.columns, (row for rows in list_rows(open_session, export) for row in rows))
        book.save(file)
    return row_count


def mer_report(session: TenantSession, period: Period, by: str, facility: str | None = None) -> IndicatorReport:
    """Indicators of a period, of all facilities or of one.

    Raises:
        Invalid: a dimension is unknown, there is no such facility, or the period begins after the data date.
    """
    return indicator_report(session, period, dimensions(by), Selection(check_facility(session, facility)))


def mer_csv(session: TenantSession, period: Period, by: str, facility: str | None = None) -> bytes:
    """Indicators of a period as CSV, one count per row.

    Raises:
        Invalid: a dimension is unknown, or there is no such facility.
    """
    report = mer_report(session, period, by, facility)
    return csv_lines([mer.long_columns(report.by), *mer.long_rows(report)])


def mer_workbook(session: TenantSession, period: Period, by: str, file: BinaryIO, facility: str | None = None) -> None:
    """Write indicators of a period as xlsx, one sheet each.

    Raises:
        Invalid: a dimension is unknown, or there is no such facility.
    """
    with Workbook() as book:
        for table in mer.tables(mer_report(session, period, by, facility)):
            book.sheet(table.title, table.columns, table.rows)
        book.save(file)


def check_sendable(session: TenantSession, period: Period) -> None:
    """Check that values of a period can be sent to DHIS2: values of a part of it would pass for final ones.

    Raises:
        Invalid: DHIS2 has no name for the period, or the records end before the period does.
    """
    dhis2.dhis2_period(period)
    dhis2.check_covered(period, covered_part(session, period).end)


def data_value_set(
    session: TenantSession, period: Period, mapping: dhis2.Dhis2Mapping, facility: str | None = None
) -> dict[str, Any]:
    """The DHIS2 data value set of all facilities or of one. The audit records that it was made.

    Raises:
        Invalid: the records do not cover the period, the mapping has no place for a count, DHIS2 no name for the
            period, or there is no such facility.
    """
    check_sendable(session, period)
    datim_id = check_facility(session, facility)
    places = [row.datim_id for row in facilities(session)] if datim_id is None else [datim_id]
    reports = {by: indicator_report(session, period, by) for by in dhis2.groupings(mapping)}
    value_set = dhis2.data_value_set(mapping, reports, period, places)
    facts = {"period": value_set["period"], "values": len(value_set["dataValues"])}
    audit.record(session, "report:data_value_set:make", "data_value_set", None, facts)
    return value_set
