"""Pages of jobs for operators: listed by state, partner and kind; dead letters retried or discarded."""

from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import require_operator
from core.access.pages import Page, PageContext
from core.errors import AppError, Conflict
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.jobs import operations
from core.jobs.registry import kinds
from core.tenancy import describe_tenant, list_tenants
from core.web.pages import SEE_OTHER
from tenants.portal import operator_words as words
from tenants.portal.operator_pages import ZONE

router = APIRouter()

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
Writer = Annotated[Principal, Depends(require_operator("operations.write"))]
State = Literal["", "queued", "sent", "running", "done", "dead", "discarded"]
Text = Annotated[str, Query(max_length=100)]
MOST = 200


@router.get("/operators/jobs")
def show_jobs(
    page: Page,
    principal: Reader,
    state: State = "dead",
    tenant: Text = "",
    kind: Text = "",
    done: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show the newest jobs of a state, a partner and a kind; dead ones unless another state is chosen."""
    chosen = describe_tenant(tenant).ref() if tenant else None
    rows = operations.find(state=state or None, tenant=chosen, kind=kind or None, limit=MOST)
    tenants = list_tenants()
    slugs = {each.id: each.slug for each in tenants}
    return page.render(
        "portal/operators/jobs.html",
        principal,
        partner=words.INSTALLATION,
        current="/operators",
        jobs=[words.job_row(row, slugs) for row in rows],
        most=MOST,
        state=state,
        tenant=tenant,
        kind=kind,
        tenants=[(each.slug, each.slug) for each in tenants],
        kinds=[(name, name) for name in kinds()],
        here=urlencode({"state": state, "tenant": tenant, "kind": kind}),
        done=done,
        may_write="operations.write" in principal.permissions,
        zone=ZONE,
        words=words,
    )


@router.get("/operators/jobs/{job_id}")
def show_job(page: Page, principal: Reader, job_id: UUID, done: str = "") -> HTMLResponse:
    """Show one job with its dead letters."""
    return _job_page(page, principal, job_id, done=done)


@router.post("/operators/jobs/{job_id}/retry", dependencies=[CONTROL_DATABASE])
def post_retry(page: Page, principal: Writer, job_id: UUID) -> Response:
    """Queue a dead job again."""
    return _resolve(page, principal, job_id, "retried")


@router.post("/operators/jobs/{job_id}/discard", dependencies=[CONTROL_DATABASE])
def post_discard(page: Page, principal: Writer, job_id: UUID) -> Response:
    """Give a dead job up for good."""
    return _resolve(page, principal, job_id, "discarded")


def _resolve(page: PageContext, principal: Principal, job_id: UUID, act: Literal["retried", "discarded"]) -> Response:
    resolve = operations.retry if act == "retried" else operations.discard
    try:
        resolve(job_id, actor=principal.actor, source="page")
    except Conflict as error:
        return _job_page(page, principal, job_id, error=error)
    return RedirectResponse(f"/operators/jobs/{job_id}?done={act}", SEE_OTHER)


def _job_page(
    page: PageContext, principal: Principal, job_id: UUID, *, done: str = "", error: AppError | None = None
) -> HTMLResponse:
    job = operations.show(job_id)
    letters = job.pop("dead_letters")
    return page.render(
        "portal/operators/job.html",
        principal,
        status=200 if error is None else error.status,
        partner=words.INSTALLATION,
        current="/operators",
        job=words.job_row(job, {each.id: each.slug for each in list_tenants()}),
        facts=job,
        letters=letters,
        done=done,
        problem=error,
        may_write="operations.write" in principal.permissions and job["state"] == "dead",
        zone=ZONE,
        words=words,
    )
