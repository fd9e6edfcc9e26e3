"""Pages of a partner's webhooks: the list, one with its deliveries, and the forms that change it."""

from datetime import timedelta
from typing import Annotated, Final, Literal
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.clock import now
from core.errors import AppError, Conflict, Invalid, PreconditionFailed
from core.identity import Principal
from core.identity.people.members import names_of
from core.identity.principal import actor_of_person, people_of_actors
from core.web.cursors import Sort
from core.web.etag import ExpectedVersions, etag
from core.web.pages import SEE_OTHER
from core.web.paging import PageRequest
from core.webhooks import deliveries, service
from core.webhooks.models import WebhookEndpoint
from core.webhooks.schemas import URL_MAX
from core.webhooks.service import EndpointSecret
from tenants.portal import admin_words
from tenants.portal import webhook_words as words

router = APIRouter()

Reader = Annotated[Principal, Depends(require("webhooks.read"))]
Writer = Annotated[Principal, Depends(require("webhooks.write"))]
PageNumber = Annotated[int, Query(ge=1, le=10_000)]
PAGE_SIZE: Final = 25
REJECTED: Final = (Invalid, Conflict, PreconditionFailed)
NEWEST: Final = Sort("created_at", descending=True)


class WebhookForm(BaseModel):
    """The form of a webhook."""

    model_config = ConfigDict(extra="ignore")

    url: str = Field(default="", max_length=2 * URL_MAX)
    events: list[str] = Field(default=[], max_length=100)
    version: str = Field(default="", max_length=100)

    def expected(self) -> ExpectedVersions:
        """The version that the person has seen."""
        return ExpectedVersions(frozenset({self.version}))


@router.get("/admin/webhooks")
def show_webhooks(page: Page, principal: Reader, scope: TenantScope, done: str = "") -> HTMLResponse:
    """Show the partner's webhooks, oldest first, with their state."""
    with scope.session(readonly=True) as session:
        rows = service.list_endpoints(session)
    return page.render(
        "portal/admin/webhooks.html",
        principal,
        partner=scope.tenant.name,
        current="/admin",
        webhooks=rows,
        stopped=service.stopped_by_failures(rows),
        most=service.MOST_ENDPOINTS,
        words=words,
        done=done,
        zone=ZoneInfo(scope.tenant.time_zone),
        may_write="webhooks.write" in principal.permissions,
    )


@router.get("/admin/webhooks/new")
def show_new(page: Page, _: Writer, scope: TenantScope) -> HTMLResponse:
    """Show the form of a new webhook."""
    return _form_page(page, scope, None, WebhookForm())


@router.post("/admin/webhooks/new")
def post_new(page: Page, _: Writer, scope: TenantScope, form: Annotated[WebhookForm, Form()]) -> HTMLResponse:
    """Create a webhook, and show its secret one time."""
    try:
        with scope.session() as session:
            created = service.add_endpoint(session, form.url.strip(), form.events, source="page")
    except REJECTED as error:
        return _form_page(page, scope, None, form, error)
    return _secret_page(page, scope, created)


@router.get("/admin/webhooks/{webhook_id}")
def show_webhook(
    page: Page,
    principal: Reader,
    scope: TenantScope,
    webhook_id: UUID,
    state: str = "",
    event: str = "",
    number: Annotated[PageNumber, Query(alias="page")] = 1,
    done: str = "",
) -> HTMLResponse:
    """Show a webhook and the log of its deliveries, newest first."""
    chosen = deliveries.Filter(state if state in words.DELIVERY_STATES else None, event or None)
    with scope.session(readonly=True) as session:
        row = service.get_endpoint(session, webhook_id)
        part = deliveries.find_deliveries(session, webhook_id, PageRequest(number, PAGE_SIZE, sort=NEWEST), chosen)
        last = deliveries.last_attempts(session, [each.id for each in part.rows])
    return page.render(
        "portal/admin/webhook.html",
        principal,
        partner=scope.tenant.name,
        current="/admin",
        webhook=row,
        creator=_creator(scope, row),
        version=etag(row.version_id),
        deliveries=[(each, last.get(each.id)) for each in part.rows],
        total=part.total,
        state=chosen.state or "",
        event=event,
        number=number,
        pages=max(1, -(-part.total // PAGE_SIZE)),
        address=lambda at: f"/admin/webhooks/{webhook_id}?{urlencode({'state': state, 'event': event, 'page': at})}",
        words=words,
        now=now(),
        done=done,
        zone=ZoneInfo(scope.tenant.time_zone),
        may_write="webhooks.write" in principal.permissions,
    )


@router.get("/admin/webhooks/{webhook_id}/change")
def show_change(page: Page, _: Writer, scope: TenantScope, webhook_id: UUID) -> HTMLResponse:
    """Show the form of a webhook's address and events."""
    row = _webhook(scope, webhook_id)
    form = WebhookForm(url=row.url, events=row.events, version=etag(row.version_id))
    return _form_page(page, scope, webhook_id, form)


@router.post("/admin/webhooks/{webhook_id}/change")
def post_change(
    page: Page, _: Writer, scope: TenantScope, webhook_id: UUID, form: Annotated[WebhookForm, Form()]
) -> Response:
    """Change a webhook's address and events."""
    try:
        with scope.session() as session:
            service.change_endpoint(session, webhook_id, form.url.strip(), form.events, form.expected(), source="page")
    except REJECTED as error:
        return _form_page(page, scope, webhook_id, form, error)
    return _back(webhook_id, "changed")


@router.post("/admin/webhooks/{webhook_id}/rotate")
def post_rotate(page: Page, _: Writer, scope: TenantScope, webhook_id: UUID) -> HTMLResponse:
    """Create a new secret, and show it one time. For 24 hours the one before it signs too."""
    with scope.session() as session:
        created = service.rotate_secret(session, webhook_id, source="page")
    return _secret_page(page, scope, created)


@router.post("/admin/webhooks/{webhook_id}/enable")
def post_enable(_: Writer, scope: TenantScope, webhook_id: UUID) -> Response:
    """Send to a stopped webhook again."""
    with scope.session() as session:
        service.enable_endpoint(session, webhook_id, source="page")
    return _back(webhook_id, "enabled")


@router.post("/admin/webhooks/{webhook_id}/disable")
def post_disable(_: Writer, scope: TenantScope, webhook_id: UUID) -> Response:
    """Send nothing more to a webhook."""
    with scope.session() as session:
        service.disable_endpoint(session, webhook_id, source="page")
    return _back(webhook_id, "disabled")


@router.post("/admin/webhooks/{webhook_id}/remove")
def post_remove(_: Writer, scope: TenantScope, webhook_id: UUID, form: Annotated[WebhookForm, Form()]) -> Response:
    """Remove a webhook with the log of its deliveries."""
    with scope.session() as session:
        service.remove_endpoint(session, webhook_id, form.expected(), source="page")
    return RedirectResponse("/admin/webhooks?done=removed", SEE_OTHER)


@router.post("/admin/webhooks/{webhook_id}/example")
def post_example(
    _: Writer, scope: TenantScope, webhook_id: UUID, event: Annotated[str, Form(max_length=100)]
) -> Response:
    """Send the example of an event."""
    with scope.session() as session:
        deliveries.send_example(session, webhook_id, event, source="page")
    return _back(webhook_id, "example")


@router.post("/admin/webhooks/{webhook_id}/replay")
def post_replay(
    _: Writer, scope: TenantScope, webhook_id: UUID, hours: Annotated[Literal["1", "24", "168", "720"], Form()]
) -> Response:
    """Send the deliveries of the last hours again."""
    with scope.session() as session:
        deliveries.replay(session, webhook_id, now() - timedelta(hours=int(hours)), source="page")
    return _back(webhook_id, "replayed")


@router.post("/admin/webhooks/{webhook_id}/deliveries/{delivery_id}/resend")
def post_resend(_: Writer, scope: TenantScope, webhook_id: UUID, delivery_id: UUID) -> Response:
    """Send one delivery again."""
    with scope.session() as session:
        deliveries.resend(session, webhook_id, delivery_id, source="page")
    return _back(webhook_id, "resent")


def _webhook(scope: Scope, webhook_id: UUID) -> WebhookEndpoint:
    with scope.session(readonly=True) as session:
        return service.get_endpoint(session, webhook_id)


def _back(webhook_id: UUID, done: str) -> RedirectResponse:
    return RedirectResponse(f"/admin/webhooks/{webhook_id}?done={done}", SEE_OTHER)


def _creator(scope: Scope, row: WebhookEndpoint) -> str:
    people = names_of(scope.tenant, people_of_actors([row.created_by]))
    return next((name for person, name in people.items() if actor_of_person(person) == row.created_by), row.created_by)


def _form_page(
    page: PageContext, scope: Scope, webhook_id: UUID | None, form: WebhookForm, error: AppError | None = None
) -> HTMLResponse:
    return page.render(
        "portal/admin/webhook_form.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/admin",
        webhook_id=webhook_id,
        form=form,
        events=words.event_choices(),
        problem=None if error is None else admin_words.problem_of(error),
    )


def _secret_page(page: PageContext, scope: Scope, created: EndpointSecret) -> HTMLResponse:
    return page.render(
        "portal/admin/webhook_secret.html",
        scope.principal,
        partner=scope.tenant.name,
        current="/admin",
        webhook=created.endpoint,
        secret_text=created.secret,
        zone=ZoneInfo(scope.tenant.time_zone),
    )
