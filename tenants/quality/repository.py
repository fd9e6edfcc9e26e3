"""SQL of the reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql
from sqlmodel import col, select

from core.web.keyset import Slice, read_slice
from tenants.quality.catalog import FORMER_NAMES
from tenants.quality.measuring import Shares
from tenants.quality.models import QualityReport
from tenants.records.models import Facility
from tenants.records.reach import whole_facility_within_reach, whole_facility_within_reach_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from core.database import TenantSession
    from core.web.paging import PageRequest

_COLUMNS = ("id", "import_id", "facility", "data_date", "made_at", "definitions", "score", "dimensions")

_TREND = """
WITH r AS (
    SELECT q.uuid, q.import_uuid, q.data_date, q.made_at, q.score, q.dimensions, q.definitions,
           CASE WHEN {quarterly} THEN to_char(q.data_date, 'YYYY"Q"Q') ELSE q.import_uuid::text END AS period
    FROM quality_reports AS q WHERE q.facility_uuid IS NOT DISTINCT FROM {facility} AND {within_reach}
)
SELECT period, import_uuid, data_date, made_at, definitions, score, dimensions FROM (
    SELECT DISTINCT ON (period) * FROM r WHERE period IS NOT NULL
    ORDER BY period, data_date DESC, made_at DESC
) AS last ORDER BY data_date, made_at, uuid
"""


def store(session: TenantSession, rows: Sequence[tuple[QualityReport, Shares]]) -> None:
    """Insert reports with their measures."""
    session.add_all([report for report, _ in rows])
    session.flush()
    with (
        session.cursor() as cursor,
        cursor.copy("COPY quality_measures (report_uuid, measure, numerator, denominator) FROM STDIN") as copy,
    ):
        for report, shares in rows:
            for measure, (numerator, denominator) in sorted(shares.items()):
                copy.write_row((report.uuid, measure, numerator, denominator))


def find(session: TenantSession, uuid: UUID) -> QualityReport | None:
    """Return a report by its UUID. If the session reaches only some facilities, the report must be of one of them."""
    conditions = (col(QualityReport.uuid) == uuid, whole_facility_within_reach(session, QualityReport.facility_uuid))
    return session.exec(select(QualityReport).where(*conditions)).one_or_none()


def newest(session: TenantSession, *, import_id: UUID) -> QualityReport | None:
    """Return the newest report over all facilities of an import."""
    query = select(QualityReport).where(
        col(QualityReport.import_uuid) == import_id, col(QualityReport.facility_uuid).is_(None)
    )
    return session.exec(query.order_by(col(QualityReport.made_at).desc()).limit(1)).one_or_none()


def shares(session: TenantSession, report: UUID) -> Shares:
    """A report's measures."""
    with session.cursor() as cursor:
        cursor.execute("SELECT measure, numerator, denominator FROM quality_measures WHERE report_uuid = %s", (report,))
        return {
            FORMER_NAMES.get(name, name): (numerator, denominator) for name, numerator, denominator in cursor.fetchall()
        }


def datim_id(session: TenantSession, facility: UUID | None) -> str | None:
    """The DATIM id of a facility."""
    if facility is None:
        return None
    with session.cursor() as cursor:
        row = cursor.execute("SELECT datim_id FROM facilities WHERE uuid = %s", (facility,)).fetchone()
    return None if row is None else str(row[0])


def scores_of_run(session: TenantSession, run: UUID) -> list[dict[str, Any]]:
    """The scores of the facilities within reach in one run, the lowest first."""
    query = sql.SQL(
        "SELECT f.datim_id, f.name, r.uuid, r.score FROM quality_reports AS r"
        " JOIN facilities AS f ON f.uuid = r.facility_uuid"
        " WHERE r.run_uuid = %s AND {} ORDER BY r.score NULLS LAST, f.datim_id"
    ).format(whole_facility_within_reach_sql(session, "r.facility_uuid"))
    with session.cursor() as cursor:
        cursor.execute(query, (run,))
        keys = ("facility", "name", "report_id", "score")
        return [dict(zip(keys, row, strict=True)) for row in cursor.fetchall()]


def page(
    session: TenantSession, paging: PageRequest, *, facility: UUID | None, import_id: UUID | None
) -> Slice[dict[str, Any]]:
    """One page of reports: those of one facility, or those over several facilities.

    A session that reaches only some facilities never gets reports over several. Without ``facility``, it gets those of
    each facility within reach.
    """
    report = QualityReport
    columns: Any = (
        report.uuid, report.import_uuid, Facility.datim_id, report.data_date, report.made_at, report.definitions,
        report.score, report.dimensions,
    )  # fmt: skip
    statement = select(*columns).outerjoin(Facility, col(Facility.uuid) == col(report.facility_uuid))
    statement = statement.where(whole_facility_within_reach(session, report.facility_uuid))
    if facility is not None:
        statement = statement.where(col(report.facility_uuid) == facility)
    elif session.reach.everything:
        statement = statement.where(col(report.facility_uuid).is_(None))
    if import_id is not None:
        statement = statement.where(col(report.import_uuid) == import_id)
    part = read_slice(session, statement, paging, {"made_at": col(report.made_at)}, col(report.uuid))
    return Slice([dict(zip(_COLUMNS, row, strict=True)) for row in part.rows], part.total, part.last)


def trend(session: TenantSession, *, facility: UUID | None, by: str) -> list[dict[str, Any]]:
    """The last report of every import or quarter, oldest first: of a facility, or over all facilities.

    Reports over all facilities are only for sessions that reach them all.
    """
    query = sql.SQL(_TREND).format(
        quarterly=sql.Literal(by == "quarter"),
        facility=sql.Literal(facility),
        within_reach=whole_facility_within_reach_sql(session, "q.facility_uuid"),
    )
    keys = ("period", "import_id", "data_date", "made_at", "definitions", "score", "dimensions")
    with session.cursor() as cursor:
        return [dict(zip(keys, row, strict=True)) for row in cursor.execute(query).fetchall()]


def facilities_of_import(session: TenantSession, import_id: UUID) -> list[UUID]:
    """The facilities of which an import wrote records; none where it changed nothing."""
    tables = ("patients", "visits", "dispensations", "appointments", "observations", "encounters", "patient_states")
    union = sql.SQL(" UNION ").join(
        sql.SQL("SELECT facility_uuid FROM {} WHERE import_uuid = {}").format(
            sql.Identifier(table), sql.Literal(import_id)
        )
        for table in tables
    )
    with session.cursor() as cursor:
        return [row[0] for row in cursor.execute(union).fetchall()]


LET_GO_AT_ONCE = 500


def delete_old_reports(session: TenantSession, before: datetime) -> int:
    """Delete a batch of reports made before an instant, with their measures; return how many."""
    with session.cursor() as cursor:
        cursor.execute("SELECT uuid FROM quality_reports WHERE made_at < %s LIMIT %s", (before, LET_GO_AT_ONCE))
        old = [row[0] for row in cursor.fetchall()]
        cursor.execute("DELETE FROM quality_measures WHERE report_uuid = ANY(%s)", (old,))
        cursor.execute("DELETE FROM quality_reports WHERE uuid = ANY(%s)", (old,))
        return cursor.rowcount
