"""Making reports: lists in steps that are each a transaction, tables and data value sets in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from core import audit
from core.web.tables import Workbook, csv_lines, json_lines
from tenants.cohort.presenting import as_of_day, dimensions
from tenants.cohort.repository import facilities
from tenants.cohort.service import indicator_report
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tenants.reports import dhis2, linelist, mer, radet
from tenants.reports.reading import Wanted, check_facility, quarter_of, step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from typing import BinaryIO
    from uuid import UUID

    from core.database import SessionOpener, TenantSession
    from core.web.tables import Cell
    from tenants.cohort.calendar import Period
    from tenants.reports.reading import Person


LINE_LIST: Final = "line-list"
RADET: Final = "radet"
MER: Final = "mer"
DEFAULT_BY: Final = "facility,sex,age"


@dataclass(frozen=True, slots=True)
class List:
    """A list that was asked for: who, the headings, and how a person becomes a row."""

    wanted: Wanted
    columns: tuple[str, ...]
    name: str

    def rows(self, people: Sequence[Person], before: int) -> list[tuple[Cell, ...]]:
        """Rows of these people; ``before`` rows came earlier."""
        if self.wanted.report == RADET:
            listed = [person for person in people if radet.on_list(person)]
            return [radet.row(before + place, person, self.wanted) for place, person in enumerate(listed, 1)]
        return [linelist.row(person, self.wanted) for person in people]


def asked(session: TenantSession, report: str, *, as_of: date | None, facility: str | None, identifiers: bool) -> List:
    """What is to be listed.

    Raises:
        Invalid: there is no such facility, or the day cannot be used.
    """
    day = as_of_day(session, as_of)
    named = check_facility(session, facility)
    wanted = Wanted(day, quarter_of(day), named, identifiers, report)
    columns = HEADINGS if report == RADET else linelist.columns(identifiers=identifiers)
    return List(wanted, columns, "-".join(part for part in (report, named, day.isoformat()) if part))


def list_rows(open_session: SessionOpener, chosen: List) -> Iterator[list[tuple[Cell, ...]]]:
    """Rows in steps; each step has committed, its audit with it, before its rows are given."""
    cursor: UUID | None = None
    count, more = 0, True
    while more:
        with open_session() as session:
            people, cursor = step(session, chosen.wanted, cursor)
            rows = chosen.rows(people, count)
        count += len(rows)
        more = cursor is not None
        yield rows


def list_lines(open_session: SessionOpener, chosen: List, form: str) -> Iterator[bytes]:
    """The list as CSV or NDJSON, step by step."""
    if form == "csv":
        yield csv_lines([chosen.columns])
    for rows in list_rows(open_session, chosen):
        yield csv_lines(rows) if form == "csv" else json_lines(chosen.columns, rows)


def list_workbook(open_session: SessionOpener, chosen: List, file: BinaryIO) -> int:
    """The list as an xlsx; how many rows it has."""
    book = Workbook()
    title = "RADET" if chosen.wanted.report == RADET else "Line list"
    written = book.sheet(title, chosen.columns, (row for rows in list_rows(open_session, chosen) for row in rows))
    book.save(file)
    return written


def mer_csv(session: TenantSession, period: Period, by: str) -> bytes:
    """Indicators of a period, one count a row.

    Raises:
        Invalid: a dimension is not known.
    """
    report = indicator_report(session, period, dimensions(by))
    return csv_lines([mer.long_columns(report.by), *mer.long_rows(report)])


def mer_workbook(session: TenantSession, period: Period, by: str, file: BinaryIO) -> None:
    """Indicators of a period, a sheet each.

    Raises:
        Invalid: a dimension is not known.
    """
    book = Workbook()
    for table in mer.tables(indicator_report(session, period, dimensions(by))):
        book.sheet(table.title, table.columns, table.rows)
    book.save(file)


def data_value_set(
    session: TenantSession, period: Period, mapping: dhis2.Dhis2Mapping, facility: str | None = None
) -> dict[str, Any]:
    """What DHIS2 takes, of all facilities or of one; that it was made is recorded in the audit.

    Raises:
        Invalid: the mapping has no place for a count, DHIS2 no name for the period, or there is no such facility.
    """
    dhis2.dhis2_period(period)
    named = check_facility(session, facility)
    places = [row.datim_id for row in facilities(session)] if named is None else [named]
    reports = {by: indicator_report(session, period, by) for by in dhis2.groupings(mapping)}
    found = dhis2.data_value_set(mapping, reports, period, places)
    facts = {"period": found["period"], "values": len(found["dataValues"])}
    audit.record(session, "report:data_value_set:make", "data_value_set", None, facts)
    return found
