"""Pages of jobs for operators: listed by state, partner and kind; dead letters retried, edited or discarded."""

import json
from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import require_operator
from core.access.pages import Page, PageContext
from core.errors import AppError, Conflict, Invalid, NotFound
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.jobs import decisions, limits, operations, pauses
from core.jobs.registry import kinds
from core.jobs.scopes import JobScope
from core.tenancy import describe_tenant, list_tenants
from core.web.pages import SEE_OTHER
from tenants.portal import operator_words as words
from tenants.portal.operator_pages import ZONE

router = APIRouter()

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
Writer = Annotated[Principal, Depends(require_operator("operations.write"))]
State = Literal["", "queued", "sent", "running", "done", "dead", "discarded", "cancelled"]
Text = Annotated[str, Query(max_length=100)]
ShortText = Annotated[str, Form(max_length=100)]
LongText = Annotated[str, Form(max_length=200_000)]
MOST = 200


@router.get("/operators/jobs")
def show_jobs(
    page: Page,
    principal: Reader,
    state: State = "dead",
    tenant: Text = "",
    kind: Text = "",
    retried: Annotated[int | None, Query(ge=0)] = None,
    skipped: Annotated[int, Query(ge=0)] = 0,
    more: Annotated[int, Query(ge=0, le=1)] = 0,
) -> HTMLResponse:
    """Show the newest jobs of a state, a partner and a kind; dead ones unless another state is chosen."""
    return _list_page(page, principal, state, tenant, kind, retried=(retried, skipped, bool(more)))


def _list_page(
    page: PageContext,
    principal: Principal,
    state: State,
    tenant: str,
    kind: str,
    *,
    retried: tuple[int | None, int, bool] = (None, 0, False),
    problem: AppError | None = None,
) -> HTMLResponse:
    chosen = describe_tenant(tenant).ref() if tenant else None
    rows = operations.find(state=state or None, tenant=chosen, kind=kind or None, limit=MOST)
    tenants = list_tenants()
    slugs = {each.id: each.slug for each in tenants}
    return page.render(
        "portal/operators/jobs.html",
        principal,
        status=200 if problem is None else problem.status,
        partner=words.INSTALLATION,
        current="/operators",
        jobs=[words.job_row(row, slugs) for row in rows],
        most=MOST,
        state=state,
        tenant=tenant,
        kind=kind,
        tenants=[(each.slug, each.slug) for each in tenants],
        kinds=[(name, name) for name in kinds()],
        here="/operators/jobs?" + urlencode({"state": state, "tenant": tenant, "kind": kind}),
        retried=retried,
        pauses=pauses.list_pauses(),
        limits=limits.list_limits(),
        largest_limit=limits.LARGEST,
        longest_reason=decisions.LONGEST_REASON,
        most_retried=decisions.MOST_RETRIED,
        fastest=decisions.FASTEST,
        problem=problem,
        may_write="operations.write" in principal.permissions,
        zone=ZONE,
        words=words,
    )


@router.get("/operators/jobs/{job_id}")
def show_job(page: Page, principal: Reader, job_id: UUID, done: str = "") -> HTMLResponse:
    """Show one job with its dead letters."""
    return _job_page(page, principal, job_id, done=done)


@router.post("/operators/jobs/retry", dependencies=[CONTROL_DATABASE])
def post_retry_all(
    page: Page,
    principal: Writer,
    kind: ShortText = "",
    tenant: ShortText = "",
    per_minute: Annotated[int, Form(ge=1, le=decisions.FASTEST)] = 60,
) -> Response:
    """Queue the dead jobs of a kind or a partner again, at a rate."""
    chosen = describe_tenant(tenant).ref() if tenant else None
    try:
        done = decisions.retry_all(
            kind=kind or None, tenant=chosen, per_minute=per_minute, actor=principal.actor, source="page"
        )
    except Invalid as error:
        return _list_page(page, principal, "dead", tenant, kind, problem=error)
    counts = {"retried": done.retried, "skipped": done.skipped, "more": int(done.more)}
    query = urlencode({"state": "dead", "tenant": tenant, "kind": kind, **counts})
    return RedirectResponse(f"/operators/jobs?{query}", SEE_OTHER)


@router.post("/operators/jobs/pause")
def post_pause(
    page: Page, principal: Writer, kind: ShortText = "", tenant: ShortText = "", reason: LongText = ""
) -> Response:
    """Let no more jobs of a kind or a partner start."""
    scope = JobScope(describe_tenant(tenant).ref() if tenant else None, kind or None)
    try:
        pauses.pause(scope, reason, actor=principal.actor, source="page")
    except Invalid as error:
        return _list_page(page, principal, "queued", tenant, kind, problem=error)
    return RedirectResponse("/operators/jobs?state=queued", SEE_OTHER)


@router.post("/operators/jobs/resume")
def post_resume(
    page: Page, principal: Writer, kind: ShortText = "", tenant: ShortText = "", platform: ShortText = ""
) -> Response:
    """End a pause."""
    scope = JobScope(describe_tenant(tenant).ref() if tenant else None, kind or None, platform=bool(platform))
    try:
        pauses.resume(scope, actor=principal.actor, source="page")
    except NotFound as error:
        return _list_page(page, principal, "queued", tenant, kind, problem=error)
    return RedirectResponse("/operators/jobs?state=queued", SEE_OTHER)


@router.post("/operators/jobs/limit")
def post_limit(
    page: Page,
    principal: Writer,
    at_once: Annotated[int, Form(ge=1, le=limits.LARGEST)],
    kind: ShortText = "",
    tenant: ShortText = "",
    reason: LongText = "",
) -> Response:
    """Set how many jobs of a kind or a partner run at the same time."""
    scope = JobScope(describe_tenant(tenant).ref() if tenant else None, kind or None)
    try:
        limits.set_limit(scope, at_once, reason, actor=principal.actor, source="page")
    except Invalid as error:
        return _list_page(page, principal, "queued", tenant, kind, problem=error)
    return RedirectResponse("/operators/jobs?state=queued", SEE_OTHER)


@router.post("/operators/jobs/unlimit")
def post_unlimit(
    page: Page, principal: Writer, kind: ShortText = "", tenant: ShortText = "", platform: ShortText = ""
) -> Response:
    """Remove a limit."""
    scope = JobScope(describe_tenant(tenant).ref() if tenant else None, kind or None, platform=bool(platform))
    try:
        limits.remove_limit(scope, actor=principal.actor, source="page")
    except NotFound as error:
        return _list_page(page, principal, "queued", tenant, kind, problem=error)
    return RedirectResponse("/operators/jobs?state=queued", SEE_OTHER)


@router.post("/operators/jobs/{job_id}/retry", dependencies=[CONTROL_DATABASE])
def post_retry(page: Page, principal: Writer, job_id: UUID) -> Response:
    """Queue a dead job again."""
    return _decided(page, principal, job_id, "retried", {})


@router.post("/operators/jobs/{job_id}/edit", dependencies=[CONTROL_DATABASE])
def post_edit(page: Page, principal: Writer, job_id: UUID, payload: LongText = "") -> Response:
    """Replace the payload of a dead job, and queue it again."""
    return _decided(page, principal, job_id, "edited", {"payload": payload})


@router.post("/operators/jobs/{job_id}/discard", dependencies=[CONTROL_DATABASE])
def post_discard(page: Page, principal: Writer, job_id: UUID, reason: LongText = "") -> Response:
    """Give a dead job up for good."""
    return _decided(page, principal, job_id, "discarded", {"reason": reason})


def _decided(
    page: PageContext,
    principal: Principal,
    job_id: UUID,
    act: Literal["retried", "edited", "discarded"],
    typed: dict[str, str],
) -> Response:
    actor = principal.actor
    try:
        if act == "discarded":
            decisions.discard(job_id, typed["reason"], actor=actor, source="page")
        elif act == "edited":
            decisions.retry(job_id, payload=decisions.parsed(typed["payload"]), actor=actor, source="page")
        else:
            decisions.retry(job_id, actor=actor, source="page")
    except (Conflict, Invalid) as error:
        return _job_page(page, principal, job_id, error=error, typed=typed)
    return RedirectResponse(f"/operators/jobs/{job_id}?done={act}", SEE_OTHER)


def _job_page(
    page: PageContext,
    principal: Principal,
    job_id: UUID,
    *,
    done: str = "",
    error: AppError | None = None,
    typed: dict[str, str] | None = None,
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
        letters=[{**letter, "failures": words.failures_of(letter["failures"])} for letter in letters],
        payload=json.dumps(job["payload"], indent=2, ensure_ascii=False),
        done=done,
        problem=error,
        typed=typed or {},
        longest_reason=decisions.LONGEST_REASON,
        may_write="operations.write" in principal.permissions and job["state"] == "dead",
        zone=ZONE,
        words=words,
    )
