"""Files of reports: who may ask for and read which, and the job that makes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg import sql
from sqlalchemy import ColumnElement
from sqlmodel import col, select

from core import audit, blobs
from core.clock import now
from core.database import Reach, psycopg_connection
from core.errors import Conflict, Forbidden, NotFound, phrase
from core.jobs import enqueue
from core.web import texts
from core.web.keyset import read_slice
from tenants.cohort.calendar import period_of
from tenants.cohort.presenting import as_of_day
from tenants.cohort.so_far import covered_part
from tenants.records.places import facility_named
from tenants.records.reach import whole_facility_within_reach_sql
from tenants.reports import service
from tenants.reports.file_schemas import LISTS, ReportFileOut
from tenants.reports.making import check_length, dhis2_mapping, export_of
from tenants.reports.models import ReportFile

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from typing import BinaryIO

    from core.access.scope import Scope
    from core.database import TenantSession
    from core.identity import Principal
    from core.jobs import JobEnd
    from core.web.keyset import Slice
    from core.web.paging import PageRequest
    from tenants.reports.file_schemas import ReportChoice, ReportFilePost

MAKE_JOB: Final = "reports.make"
MANAGE: Final = "reports.write"
_PLACES = sql.SQL("SELECT f.uuid FROM facilities AS f WHERE {within_reach} ORDER BY f.uuid")
_DELETE_OLD = sql.SQL(
    "DELETE FROM report_files WHERE uuid IN (SELECT uuid FROM report_files WHERE requested_at < %s LIMIT 1000)"
)


@dataclass(frozen=True, slots=True)
class Extent:
    """The content of a report, and who may therefore read it.

    Attributes:
        needs: the permissions that a reader needs.
        facility_uuids: the facilities in the file; None for the whole tenant.
        reach: the reach of the person who asks.
    """

    needs: list[str]
    facility_uuids: list[UUID] | None
    reach: Reach


def extent_of(session: TenantSession, principal: Principal, body: ReportChoice) -> Extent:
    """The content of the report that the principal asks for.

    Raises:
        Forbidden: the principal lacks a permission for it.
        Invalid: there is no such facility.
    """
    facility = facility_named(session, body.facility, "facility")
    needs = needed(body.kind, identifiers=body.identifiers)
    missing = sorted(needs - principal.permissions)
    if missing:
        detail = phrase("this report needs the permission {permission}", permission=missing[0])
        raise Forbidden(detail)
    if facility is not None:
        return Extent(sorted(needs), [facility.uuid], session.reach)
    return Extent(sorted(needs), None if session.reach.everything else places(session), session.reach)


def needed(kind: str, *, identifiers: bool) -> set[str]:
    """The permissions that a report needs."""
    if kind not in LISTS:
        return {"reports.read", "cohort.read"}
    identified = identifiers or kind == service.RADET
    return {"reports.read", "patients.read", *(["reports.identify"] if identified else [])}


def places(session: TenantSession) -> list[UUID]:
    """The facilities within reach."""
    with session.cursor() as cursor:
        rows = cursor.execute(
            _PLACES.format(within_reach=whole_facility_within_reach_sql(session, "f.uuid"))
        ).fetchall()
    return [row[0] for row in rows]


def request_file(session: TenantSession, principal: Principal, body: ReportFilePost) -> ReportFileOut:
    """Ask for a report, which a job makes.

    Raises:
        Forbidden: the principal lacks a permission for it.
        Invalid: the facility, day or period is unknown, the records do not cover the period, or a list on paper would
            be too long.
        Conflict: no mapping for DHIS2 is set.
    """
    extent = extent_of(session, principal, body)
    common = common_options(body)
    if body.kind in LISTS:
        options: dict[str, Any] = {**common, "as_of": as_of_day(session, body.as_of).isoformat()}
        check_length(session, body.format, export_of(session, body.kind, options))
    else:
        period = period_of(body.period)
        if body.kind == "dhis2":
            dhis2_mapping(session)
            service.check_sendable(session, period)
        options = {**common, **period_options(session, body.period)}
    row = ReportFile(
        kind=body.kind,
        format=body.format,
        options=options,
        requested_by=session.actor,
        needs=extent.needs,
        facility_uuids=extent.facility_uuids,
    )
    return shown(add(session, row))


def common_options(body: ReportChoice) -> dict[str, Any]:
    """The options of a report that say neither its day nor its period; ``language`` is that of a page on paper."""
    return {"facility": body.facility, "identifiers": body.identifiers, "language": texts.language()}


def period_options(session: TenantSession, period: str | None) -> dict[str, Any]:
    """The options of a report that say its period, and the day to which its counts run if the period goes on.

    Raises:
        Invalid: there is no such period, or it begins after the data date.
    """
    whole = period_of(period)
    covered = covered_part(session, whole)
    return {"period": period, "counted_to": covered.end.isoformat()} if covered.end < whole.end else {"period": period}


def add(session: TenantSession, row: ReportFile) -> ReportFile:
    """Store a requested report, and enqueue its job."""
    session.add(row)
    session.flush()
    enqueue(session, MAKE_JOB, {"report_id": str(row.uuid)})
    facts = {"kind": row.kind, "format": row.format}
    audit.record(session, "report:file:request", "report_file", row.uuid, facts)
    return row


def store(session: TenantSession, asked: ReportFile, ref: blobs.BlobRef, keep_days: int) -> ReportFile | None:
    """Note the file of a report; the audit records that it was made.

    Args:
        session: a transaction.
        asked: the report as it was before its content was read.
        ref: the file.
        keep_days: days until it expires.

    Returns:
        The report; None if a list must be made again, because a person was erased meanwhile, or the report was deleted.
    """
    row = session.get(ReportFile, asked.uuid, with_for_update=True)
    if row is None or row.erasures != asked.erasures:
        return None
    row.state, row.blob, row.size, row.made_at = "made", ref.key, ref.size, now()
    row.expires_at = now() + timedelta(days=keep_days)
    audit.record(session, "job:report_file:make", "report_file", row.uuid)
    return row


def fail(session: TenantSession, report_id: UUID, problem: str) -> None:
    """Note why a report could not be made."""
    row = session.get(ReportFile, report_id)
    if row is not None and row.state != "made":
        row.state, row.problem = ("failed", problem) if problem else ("waiting", None)


def job_ended(session: TenantSession, end: JobEnd) -> None:
    """Note that no job makes a report any more; after a retry, clear that."""
    fail(session, UUID(end.payload["report_id"]), end.problem)


def list_files(session: TenantSession, permissions: Collection[str], paging: PageRequest) -> Slice[ReportFile]:
    """The reports that a reader with these permissions may read now."""
    statement = select(ReportFile).where(*readable(session, permissions, ReportFile))
    return read_slice(session, statement, paging, {"requested_at": col(ReportFile.requested_at)}, col(ReportFile.uuid))


def find(session: TenantSession, permissions: Collection[str], report_id: UUID) -> ReportFile:
    """A report that the reader may read now.

    Raises:
        NotFound: there is none, or it holds more than the reader reaches.
        Forbidden: the reader lacks a permission for it.
    """
    statement = select(ReportFile).where(ReportFile.uuid == report_id, *readable(session, None, ReportFile))
    row = session.exec(statement).first()
    if row is None:
        detail = "there is no such report"
        raise NotFound(detail, remedy="list the reports, or ask for a new one")
    missing = sorted(set(row.needs) - set(permissions))
    if missing:
        detail = phrase("this report needs the permission {permission}", permission=missing[0])
        raise Forbidden(detail)
    return row


def readable(
    session: TenantSession,
    permissions: Collection[str] | None,
    model: Any,  # noqa: ANN401 - one of two tables
) -> list[ColumnElement[bool]]:
    """The conditions that a reader may read a row: the permissions (None: not checked), and each of its facilities."""
    columns = model.__table__.c
    conditions: list[ColumnElement[bool]] = []
    if permissions is not None:
        conditions.append(columns.needs.contained_by(sorted(permissions)))
    if not session.reach.everything:
        within = columns.facility_uuids.contained_by(places(session))
        conditions += [columns.facility_uuids.is_not(None), within]
    return conditions


def download(scope: Scope, report_id: UUID) -> tuple[ReportFile, BinaryIO]:
    """The file of a report, for a reader who may read it at this moment. The audit records it.

    Raises:
        NotFound: there is none within reach, or its file has expired.
        Forbidden: the reader lacks a permission for it.
        Conflict: it is not made.
    """
    with scope.session() as session:
        row = find(session, scope.principal.permissions, report_id)
        state = state_of(row)
        if state == "expired":
            detail = "the file of this report has expired"
            raise NotFound(detail, remedy="ask for the report again")
        if state != "made":
            detail = "this report failed" if state == "failed" else "this report is not made yet"
            raise Conflict(detail, remedy=row.problem or "wait until its state is made")
        audit.record(session, "report:file:download", "report_file", row.uuid)
        key = str(row.blob)
    return row, blobs.open(scope.tenant, key)


def delete(scope: Scope, report_id: UUID) -> None:
    """Delete a report and its file. People delete their own; with ``reports.write`` those of others.

    Raises:
        NotFound: there is none within reach.
        Forbidden: it is another person's.
    """
    with scope.session() as session:
        row = find(session, scope.principal.permissions, report_id)
        if row.requested_by != session.actor and MANAGE not in scope.principal.permissions:
            detail = phrase(
                "to delete a report of another person you need the permission {permission}", permission=MANAGE
            )
            raise Forbidden(detail)
        key = row.blob
        session.delete(row)
        audit.record(session, "report:file:delete", "report_file", report_id)
    if key is not None:
        blobs.delete(scope.tenant, key)


def delete_old(session: TenantSession, before: datetime) -> int:
    """Delete a batch of reports requested before an instant; return how many. Their files have expired long before."""
    with psycopg_connection(session).cursor() as cursor:
        return cursor.execute(_DELETE_OLD, (before,)).rowcount


def state_of(row: ReportFile) -> str:
    """The state of a report, at this moment."""
    gone = row.state == "made" and row.expires_at is not None and row.expires_at <= now()
    return "expired" if gone else row.state


def name_of(row: ReportFile) -> str:
    """The name of a report's file, without its ending."""
    options = row.options
    counted_to = options.get("counted_to")
    parts = (
        row.kind,
        options.get("facility"),
        options.get("as_of") or options.get("period"),
        counted_to and f"to-{counted_to}",
    )
    return "-".join(str(part) for part in parts if part)


def shown(row: ReportFile) -> ReportFileOut:
    """A report as the API shows it."""
    return ReportFileOut.model_validate(
        {
            **{name: row.options.get(name) for name in ("facility", "as_of", "period", "counted_to")},
            "identifiers": bool(row.options.get("identifiers")),
            **{name: getattr(row, name) for name in ("kind", "format", "problem", "requested_at", "made_at")},
            "expires_at": row.expires_at,
            "size": row.size,
            "id": row.uuid,
            "state": state_of(row),
            "schedule_id": row.schedule_uuid,
        }
    )
