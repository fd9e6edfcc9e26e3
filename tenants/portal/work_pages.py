"""Pages of the work: what a person has to do, and the funnel of what was done."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Final, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, Response

from core.access import Scope, TenantScope, require
from core.access.pages import Page
from core.clock import today
from core.identity import Principal
from core.web.days import IsoDay
from core.web.paging import PageRequest
from core.web.tables import MEDIA_TYPES
from core.web.texts import gettext as _
from core.web.texts import marked, shown_number, shown_share
from tenants.followup import funnel, planning
from tenants.followup.funnel import FunnelRow, GroupName, ListKind
from tenants.followup.schemas_interventions import InterventionFilter, InterventionOut
from tenants.followup.today import read_counts
from tenants.portal import patient_words
from tenants.portal.alert_counts import counts_for
from tenants.portal.words import names_of_patients, unnamed
from tenants.portal.work_words import sections_of_work

router = APIRouter()

Worker = Annotated[Principal, Depends(require("attempts.read", confined=True, by_patient=True))]
FunnelReader = Annotated[Principal, Depends(require("funnel.read", confined=True))]
Group = Annotated[GroupName, Query()]
Kind = Annotated[Literal["", "at_risk", "to_trace"], Query(alias="list")]

MOST: Final = 50
"""The most plans that the page shows."""
FUNNEL_DAYS: Final = 90
GROUPS: Final[dict[GroupName, str]] = {
    "tenant": marked("All together"),
    "facility": marked("By clinic"),
    "officer": marked("By officer"),
}
KINDS: Final = {"": marked("Both lists"), "at_risk": marked("At risk"), "to_trace": marked("To be traced")}


@dataclass(frozen=True, slots=True)
class ShownPlan:
    """A planned intervention of the reader, as the page shows it."""

    patient_id: UUID
    title: str
    text: str
    late: bool


@router.get("/follow-up")
def show_work(page: Page, principal: Worker, scope: TenantScope) -> HTMLResponse:
    """Show what the reader has to do: their people on today's lists, and their planned interventions."""
    own = UUID(principal.id) if principal.kind == "person" else None
    day = today(scope.tenant.time_zone)
    paging = PageRequest(1, MOST, "/follow-up", sort=planning.NEWEST_FIRST)
    with scope.session() as session:
        plans = planning.read_list(session, InterventionFilter(state="planned", assigned_to="me"), paging).items
        may_name = "patients.read" in principal.permissions
        names = names_of_patients(session, [plan.patient_id for plan in plans]) if may_name else {}
    may_lists = "worklists.read" in principal.permissions
    counts = read_counts(scope.tenant, scope.session, mine=own) if may_lists else None
    return page.render(
        "portal/follow_up/mine.html",
        principal,
        partner=scope.tenant.name,
        current="/follow-up",
        navigation_counts=counts_for(scope),
        counts=counts,
        plans=[
            _shown_plan(plan, names.get(plan.patient_id) or unnamed(plan.patient_id), day)
            for plan in sorted(plans, key=lambda plan: plan.due or day)
        ],
        may_open=may_name,
        sections_of_work=sections_of_work(principal, "/follow-up"),
    )


@router.get("/follow-up/funnel")
def show_funnel(
    page: Page,
    principal: FunnelReader,
    scope: TenantScope,
    first: IsoDay | None = None,
    last: IsoDay | None = None,
    by: Group = "tenant",
    kind: Kind = "",
) -> HTMLResponse:
    """Show how many people on lists of a period were contacted, reached, returned and retained."""
    begin, end, rows = _funnel(scope, first, last, by, kind)
    rows = [row for row in rows if row.identified]
    query = urlencode({"first": begin, "last": end, "by": by, "list": kind})
    return page.render(
        "portal/follow_up/funnel.html",
        principal,
        partner=scope.tenant.name,
        current="/follow-up",
        sections_of_work=sections_of_work(principal, "/follow-up/funnel"),
        first=begin,
        last=end,
        by=by,
        kind=kind,
        groups=GROUPS,
        kinds=KINDS,
        rows=[_shown_row(row, by) for row in rows],
        bars=_bars(rows[0]) if by == "tenant" and rows else [],
        aimed=any(row.reached_target or row.returned_target for row in rows),
        unsettled=sum(row.unsettled for row in rows),
        file=f"/follow-up/funnel.csv?{query}",
    )


@router.get("/follow-up/funnel.csv")
def download_funnel(
    _principal: FunnelReader,
    scope: TenantScope,
    first: IsoDay | None = None,
    last: IsoDay | None = None,
    by: Group = "tenant",
    kind: Kind = "",
) -> Response:
    """Download the funnel as CSV, without names of patients."""
    begin, end, rows = _funnel(scope, first, last, by, kind)
    headers = {"Content-Disposition": f'attachment; filename="funnel-{begin}-{end}.csv"'}
    return Response(funnel.csv_of(rows), media_type=MEDIA_TYPES["csv"], headers=headers)


def _funnel(
    scope: Scope, first: date | None, last: date | None, by: GroupName, kind: Literal["", "at_risk", "to_trace"]
) -> tuple[date, date, list[FunnelRow]]:
    end = last or today(scope.tenant.time_zone)
    begin = min(first or end - timedelta(days=FUNNEL_DAYS), end)
    wanted: ListKind | None = kind or None
    with scope.session() as session:
        return begin, end, funnel.read_funnel(session, begin, end, by, wanted)


def _shown_plan(plan: InterventionOut, title: str, day: date) -> ShownPlan:
    return ShownPlan(plan.patient_id, title, patient_words.plan_words(plan.kind, plan.due), (plan.due or day) < day)


def _shown_row(row: FunnelRow, by: GroupName) -> dict[str, str]:
    nobody = _("Nobody") if row.key is None else _("A program, or somebody who left")
    name = _("All together") if by == "tenant" else row.name or nobody
    shares = {step: _with_share(getattr(row, step), row.identified) for step in ("contacted", "reached", "returned")}
    return {
        "name": name,
        "identified": shown_number(row.identified),
        **shares,
        "retained": _("{count} of {whole}").format(
            count=shown_number(row.retained), whole=shown_number(row.retained_due)
        )
        if row.retained_due
        else _("not due yet"),
        "unreached": shown_number(row.returned_unreached),
        "unsettled": shown_number(row.unsettled),
        "reached_target": _attained(row.reached_attained, row.reached_of_target, row.reached_target),
        "returned_target": _attained(row.returned_attained, row.returned_of_target, row.returned_target),
    }


def _bars(row: FunnelRow) -> list[tuple[str, float, str]]:
    """The steps of a row as bars: label, part of the people on lists, and count with share."""
    steps = {
        _("On a list"): row.identified,
        _("Tried"): row.contacted,
        _("Reached"): row.reached,
        _("Returned after that"): row.returned,
    }
    whole = row.identified
    return [(label, count / whole, _with_share(count, whole)) for label, count in steps.items()] if whole else []


def _with_share(count: int, whole: int) -> str:
    return f"{shown_number(count)} ({shown_share(count / whole)})" if whole else shown_number(count)


def _attained(part: float | None, count: int, target: float | None) -> str:
    """A count against its target, and the part of it that is attained."""
    if part is None or target is None:
        return "\N{EN DASH}"
    return _("{count} of {target} ({share})").format(
        count=shown_number(count), target=shown_number(round(target)), share=shown_share(part)
    )
