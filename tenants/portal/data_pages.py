"""Pages of the records as a whole: the overview, facilities with their data dates, and the quality of the records."""

from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import Scope, TenantScope, require, require_any
from core.access.pages import Page, PageContext
from core.clock import today
from core.database import TenantSession
from core.errors import AppError, Conflict, NotFound
from core.identity import Principal
from core.web.cursors import Sort
from core.web.pages import SEE_OTHER
from core.web.paging import PageRequest
from core.web.texts import shown_number
from tenants.cohort.service import facilities_by_age
from tenants.imports import report, repository
from tenants.imports.confirming import confirm, list_held
from tenants.portal import data_words
from tenants.portal.import_pages import DATA
from tenants.quality import candidates
from tenants.quality import service as quality
from tenants.records.repository import facility_names

router = APIRouter()

PARTS: Final = ("quality.read", "identities.read")
"""The permissions of parts of the overview that confine themselves to what the reader reaches."""

DataRead = Annotated[Principal, Depends(require_any("imports.read", *PARTS, confined=PARTS))]
ImportsRead = Annotated[Principal, Depends(require("imports.read"))]
ImportsWrite = Annotated[Principal, Depends(require("imports.write"))]
CohortRead = Annotated[Principal, Depends(require("cohort.read"))]
QualityRead = Annotated[Principal, Depends(require("quality.read", confined=True))]
PageNumber = Annotated[int, Query(ge=1, le=10_000)]
Code = Annotated[str, Form(min_length=1, max_length=200)]

FRESHNESS: Final = 8
RECENT: Final = 4
PAGE_SIZE: Final = 50
_NEWEST_IMPORTS: Final = PageRequest(1, RECENT, "/data/imports", sort=Sort("created_at", descending=True), keyed=True)
_NEWEST_REPORT: Final = PageRequest(1, 1, "/data/quality", sort=quality.NEWEST_FIRST, keyed=True)


@router.get("/data")
def show_data(page: Page, principal: DataRead, scope: TenantScope) -> HTMLResponse:
    """Show how old the records of each facility are, their quality, the last imports, and what waits for a decision.

    Who reaches some facilities sees the quality and the pairs of these.
    """
    permissions = principal.permissions
    whole = "imports.read" in permissions and principal.reach.everything
    with scope.session() as session:
        part = repository.page(session, _NEWEST_IMPORTS) if whole else None
        imports = [report.summary(session, row) for row in part.rows] if part is not None else []
        facilities = facilities_by_age(session) if whole and "cohort.read" in permissions else None
        pairs = candidates.count_pending(session) if "identities.read" in permissions else 0
        score = _newest_report(session, None) if "quality.read" in permissions else None
        waiting = len(list_held(session)) if whole else 0
    return page.render(
        "portal/data/overview.html",
        principal,
        partner=scope.tenant.name,
        current=DATA,
        imports=imports,
        whole=whole,
        facilities=None if facilities is None else facilities[:FRESHNESS],
        facility_count=len(facilities or ()),
        pairs=pairs,
        waiting=waiting,
        score=score,
        **_shared(scope),
    )


@router.get("/data/facilities")
def show_facilities(
    page: Page,
    _imports: ImportsRead,
    _cohort: CohortRead,
    scope: TenantScope,
    number: Annotated[PageNumber, Query(alias="page")] = 1,
    after: UUID | None = None,
) -> HTMLResponse:
    """Show the facilities to confirm, and the data date of each facility, the oldest first.

    ``after`` is the import whose facility was just confirmed.
    """
    return _facilities_page(page, scope, number=number, after=after)


@router.post("/data/facilities/confirm")
def post_confirm(
    page: Page,
    _principal: ImportsWrite,
    _cohort: CohortRead,
    scope: TenantScope,
    code: Code,
    known: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Confirm that a code is a new facility, or another spelling of a known one."""
    try:
        with scope.session() as session:
            import_id = next((one["import_id"] for one in list_held(session) if one["code"] == code), None)
            confirm(session, code, known or None)
    except (Conflict, NotFound) as error:
        return _facilities_page(page, scope, error=error)
    query = "" if import_id is None else f"?after={import_id}"
    return RedirectResponse(f"/data/facilities{query}", SEE_OTHER)


@router.get("/data/quality")
def show_quality(
    page: Page,
    principal: QualityRead,
    scope: TenantScope,
    facility: Annotated[str, Query(max_length=64)] = "",
) -> HTMLResponse:
    """Show the newest report on the quality of the records: of a facility, or of all that it measured."""
    with scope.session() as session:
        newest = _newest_report(session, facility or None)
        trend = quality.trend(session, facility=facility or None, by="quarter") if newest is not None else []
        name = facility_names(session, {facility}).get(facility, facility)
    measures = [] if newest is None else sorted(newest.measures, key=_lack)
    return page.render(
        "portal/data/quality.html",
        principal,
        partner=scope.tenant.name,
        current=DATA,
        facility=facility,
        report=newest,
        name=name,
        measures=[measure for measure in measures if measure.percent is not None],
        trend=[
            (point["period"], point["score"], shown_number(point["score"]))
            for point in trend
            if point["score"] is not None and newest is not None and point["definitions"] == newest.definitions
        ],
        **_shared(scope),
    )


def _facilities_page(
    page: PageContext, scope: Scope, *, number: int = 1, after: UUID | None = None, error: AppError | None = None
) -> HTMLResponse:
    with scope.session() as session:
        to_confirm = list_held(session)
        facilities = facilities_by_age(session)
        files = [] if after is None else [file.name for file in repository.files(session, after)]
    first = (number - 1) * PAGE_SIZE
    return page.render(
        "portal/data/facilities.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current=DATA,
        to_confirm=to_confirm,
        names={row.datim_id: row.name for row in facilities},
        facilities=facilities[first : first + PAGE_SIZE],
        number=number,
        pages=max(1, -(-len(facilities) // PAGE_SIZE)),
        after=after,
        files=files,
        left=sum(one["import_id"] == after for one in to_confirm),
        error=error,
        **_shared(scope),
    )


def _shared(scope: Scope) -> dict[str, Any]:
    return {
        "words": data_words,
        "zone": ZoneInfo(scope.tenant.time_zone),
        "today": today(scope.tenant.time_zone),
        "permissions": scope.principal.permissions,
    }


def _newest_report(session: TenantSession, facility: str | None) -> quality.Report | None:
    part = quality.list_reports(session, _NEWEST_REPORT, facility=facility)
    return quality.read_report(session, part.rows[0]["id"]) if part.rows else None


def _lack(measure: quality.MeasureResult) -> tuple[int, int]:
    """The order of measures: those that lack most first."""
    return (measure.percent if measure.percent is not None else 101, measure.numerator - measure.denominator)
