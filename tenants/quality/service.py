"""The service of quality reports: what each report covers, and when jobs make them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from core.clock import now, today
from core.errors import FieldError, Invalid, NotFound, phrase
from core.jobs import enqueue, latest_job
from core.web.cursors import Sort
from tenants.imports.repository import find as find_import
from tenants.imports.repository import problems
from tenants.quality import catalog, repository
from tenants.quality.measuring import Shares, add, measure
from tenants.quality.models import QualityReport
from tenants.records.ids import new_uuid
from tenants.records.repository import find_facility

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.database import TenantSession
    from core.jobs.schemas import JobOut
    from core.web.keyset import Slice
    from core.web.paging import PageRequest
    from tenants.imports.models import Import

REPORT_JOB: Final = "quality.report"
LINK_JOB: Final = "quality.link"
NEWEST_FIRST: Final = Sort("made_at", descending=True)

NAMED_FACILITIES: Final = 1000
"""The most facilities that a job names; with more, it measures all."""


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """A measure of a report; ``percent`` is empty where there was nothing to measure."""

    measure: str
    dimension: str
    weight: int
    about: str
    numerator: int
    denominator: int
    percent: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """A report as the API and the command line show it.

    Attributes:
        facility: DATIM id; empty in the report of an import or of all facilities.
        facilities: in a report over several, each facility's DATIM id, name and score, the lowest first.
    """

    id: UUID
    import_id: UUID | None
    facility: str | None
    data_date: date | None
    made_at: datetime
    definitions: str
    score: int | None
    dimensions: dict[str, int]
    measures: list[MeasureResult]
    rejected: list[dict[str, Any]]
    facilities: list[dict[str, Any]]


def request_report(
    session: TenantSession, *, import_id: UUID | None = None, facilities: Sequence[UUID] | None = None
) -> UUID:
    """Enqueue a job that makes a report, unless an equal job waits already."""
    payload: dict[str, Any] = {}
    if import_id is not None:
        payload["import_id"] = str(import_id)
    if facilities is not None and len(facilities) <= NAMED_FACILITIES:
        payload["facilities"] = sorted(str(uuid) for uuid in facilities)
    return enqueue(session, REPORT_JOB, payload, dedupe_key=_report_key(import_id))


def ask_report(session: TenantSession, import_id: UUID | None) -> UUID:
    """Enqueue a report of an import, or of all facilities, for a caller.

    Raises:
        Invalid: there is no such import.
    """
    _check_import(session, import_id)
    return request_report(session, import_id=import_id)


def request_link(session: TenantSession, after: timedelta = timedelta()) -> UUID:
    """Enqueue a search for people recorded twice. One search serves several imports.

    Args:
        session: the tenant's transaction.
        after: how long to wait for other imports; a shorter wait brings forward a search that waits already.
    """
    return enqueue(session, LINK_JOB, {}, run_after=now() + after if after else None, dedupe_key=LINK_JOB)


def make_reports(
    session: TenantSession,
    *,
    import_id: UUID | None = None,
    facilities: Sequence[UUID] | None = None,
) -> QualityReport:
    """Measure, and store a report of each facility and one over all of them; return the latter.

    Args:
        session: the tenant's transaction.
        import_id: the import before the report; its rejected rows are part of the report over all.
        facilities: the facilities that the import changed; None to look them up. Without an import all are measured.

    Raises:
        NotFound: there is no such import.
    """
    source_import = None if import_id is None else _import(session, import_id)
    if source_import is None:
        # Without an import, measure all: a report over some would make the tenant's trend follow one clinic.
        facilities = None
    elif facilities is None:
        facilities = repository.facilities_of_import(session, source_import.uuid)
    measures_of_facility = measure(session, today(session.tenant.time_zone), facilities)
    run, made_at = new_uuid(), now()
    rows: list[tuple[QualityReport, Shares]] = []
    for facility, (data_date, shares) in measures_of_facility.items():
        rows.append((_report(run, made_at, import_id, facility, data_date, shares), shares))
    whole = add([shares for _, shares in measures_of_facility.values()])
    rejected: list[dict[str, Any]] = []
    newest = max((day for day, _ in measures_of_facility.values()), default=None)
    if source_import is not None:
        whole["rows_accepted"] = (
            source_import.rows_read - source_import.rows_rejected - source_import.rows_in_part,
            source_import.rows_read,
        )
        rejected = problems(session, source_import.uuid)
        newest = source_import.data_date or newest
    overall = _report(run, made_at, import_id, None, newest, whole)
    overall.rejected = rejected
    rows.append((overall, whole))
    repository.store(session, rows)
    return overall


def make_facility_report(session: TenantSession, facility: UUID, import_id: UUID | None = None) -> QualityReport:
    """Measure one facility, and store its report. It makes no report over all facilities.

    Raises:
        NotFound: there is no such import.
    """
    if import_id is not None:
        _import(session, import_id)
    data_date, shares = measure(session, today(session.tenant.time_zone), [facility])[facility]
    row = _report(new_uuid(), now(), import_id, facility, data_date, shares)
    repository.store(session, [(row, shares)])
    return row


def read_report(session: TenantSession, uuid: UUID) -> Report:
    """Return a report.

    Raises:
        NotFound: there is no such report.
    """
    row = repository.find(session, uuid)
    if row is None:
        detail = "there is no such report"
        raise NotFound(detail)
    return report_of(session, row)


def report_of_import(session: TenantSession, import_id: UUID) -> Report:
    """The newest report made after an import, with its rejected rows.

    Raises:
        NotFound: there is no such import, or no report of it yet.
    """
    _import(session, import_id)
    row = repository.newest(session, import_id=import_id)
    if row is None:
        raise _no_report_yet(latest_job(session, REPORT_JOB, _report_key(import_id)))
    return report_of(session, row)


def list_reports(
    session: TenantSession, paging: PageRequest, *, facility: str | None = None, import_id: UUID | None = None
) -> Slice[dict[str, Any]]:
    """One page of reports without their measures: of one facility, or those over all.

    Raises:
        Invalid: there is no such facility or import.
    """
    where = None if facility is None else facility_uuid(session, facility)
    _check_import(session, import_id)
    return repository.page(session, paging, facility=where, import_id=import_id)


def trend(session: TenantSession, *, facility: str | None, by: str) -> list[dict[str, Any]]:
    """Scores over time, oldest first: of every import, or of the last report of every quarter of data dates.

    Raises:
        Invalid: there is no such facility.
        Invalid: ``by`` is neither ``import`` nor ``quarter``.
    """
    if by not in ("import", "quarter"):
        problem = FieldError("by", "is not an interval of a trend", "give import or quarter")
        raise Invalid(problem.problem, errors=[problem])
    where = None if facility is None else facility_uuid(session, facility)
    return repository.trend(session, facility=where, by=by)


def facility_uuid(session: TenantSession, datim_id: str) -> UUID:
    """The UUID of the facility with a DATIM id.

    Raises:
        Invalid: there is no such facility.
    """
    facility = find_facility(session, datim_id)
    if facility is None:
        detail, remedy = "there is no such facility", "give the DATIM id of one of GET /v1/facilities"
        raise Invalid(detail, remedy=remedy, errors=[FieldError("facility", "names no facility", remedy)])
    return facility.uuid


def report_of(session: TenantSession, row: QualityReport) -> Report:
    """Return a stored report as the API shows it."""
    shares = repository.shares(session, row.uuid)
    return Report(
        id=row.uuid,
        import_id=row.import_uuid,
        facility=repository.datim_id(session, row.facility_uuid),
        data_date=row.data_date,
        made_at=row.made_at,
        definitions=row.definitions,
        score=row.score,
        dimensions=row.dimensions,
        measures=measures_of(shares),
        rejected=row.rejected,
        facilities=[] if row.facility_uuid is not None else repository.scores_of_run(session, row.run_uuid),
    )


def measures_of(shares: Mapping[str, tuple[int, int]]) -> list[MeasureResult]:
    """Measures from their counts, in the order of the catalogue; counts that the catalogue lacks are left out."""
    return [
        MeasureResult(
            measure=each.name,
            dimension=each.dimension,
            weight=each.weight,
            about=each.about,
            numerator=shares[each.name][0],
            denominator=shares[each.name][1],
            percent=catalog.percent(shares[each.name][0] / shares[each.name][1]) if shares[each.name][1] else None,
        )
        for each in catalog.MEASURES
        if each.name in shares
    ]


def _report(
    run: UUID,
    made_at: datetime,
    import_id: UUID | None,
    facility: UUID | None,
    data_date: date | None,
    shares: Shares,
) -> QualityReport:
    score, dimensions = catalog.score(shares)
    return QualityReport(
        uuid=new_uuid(),
        run_uuid=run,
        import_uuid=import_id,
        facility_uuid=facility,
        data_date=data_date,
        made_at=made_at,
        definitions=catalog.VERSION,
        score=score,
        dimensions=dimensions,
        rejected=[],
    )


def _report_key(import_id: UUID | None) -> str:
    return f"{REPORT_JOB}:{import_id or 'all'}"


def _no_report_yet(job: JobOut | None) -> NotFound:
    """Say why an import has no report: its job waits or runs, it failed, or nobody asked for one."""
    ask = "ask for one: POST /v1/quality/reports with its import_id"
    if job is not None and job.state in ("queued", "running"):
        detail, remedy = (
            "the report of this import is being made",
            phrase("ask again when the job {id} is done", id=job.id),
        )
    elif job is not None and job.state in ("failed", "discarded", "cancelled"):
        detail, remedy = (
            phrase(
                "the report of this import could not be made: {problem}",
                problem=job.error or phrase("its job was ended"),
            ),
            ask,
        )
    else:
        detail, remedy = "there is no report of this import yet", ask
    return NotFound(detail, remedy=remedy)


def _check_import(session: TenantSession, import_id: UUID | None) -> None:
    """Reject a query or a body that names no import. An unknown import in a path is 404 instead."""
    if import_id is not None and find_import(session, import_id) is None:
        detail, remedy = "there is no such import", "Send the id of one of GET /v1/imports."
        raise Invalid(detail, remedy=remedy, errors=[FieldError("import_id", "names no import", remedy)])


def _import(session: TenantSession, uuid: UUID) -> Import:
    row = find_import(session, uuid)
    if row is None:
        detail = "there is no such import"
        raise NotFound(detail, remedy="give the UUID of one of GET /v1/imports")
    return row
