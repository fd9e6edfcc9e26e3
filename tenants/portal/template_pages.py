"""Pages of the texts of messages: the list, and the form with its preview."""

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.errors import Invalid
from core.identity import Principal
from core.tenancy import settings as tenant_settings
from core.web.pages import SEE_OTHER
from tenants.messages import templates
from tenants.messages.schemas import MOST_TEXT, TemplatePost
from tenants.messages.settings import MessageSettings
from tenants.portal import message_words as words

router = APIRouter()

Reader = Annotated[Principal, Depends(require("templates.read", confined=True, by_patient=True))]
Writer = Annotated[Principal, Depends(require("templates.write"))]


class TextForm(BaseModel):
    """The form of a text; ``act`` is the button that was pressed."""

    model_config = ConfigDict(extra="ignore")

    purpose: str = Field(default="reminders", max_length=40)
    language: str = Field(default="en", max_length=10)
    body: str = Field(default="", max_length=2 * MOST_TEXT)
    act: str = Field(default="save", max_length=10)


@router.get("/admin/message-texts")
def show_texts(page: Page, principal: Reader, scope: TenantScope, done: str = "") -> HTMLResponse:
    """Show the texts that are sent, by purpose and language."""
    with scope.session(readonly=True) as session:
        rows = [templates.shown(session, row) for row in templates.list_templates(session)]
        active = tenant_settings.get(session, MessageSettings).active
    return page.render(
        "portal/admin/message_texts.html",
        principal,
        partner=scope.tenant.name,
        current="/admin",
        texts=rows,
        active=active,
        words=words,
        done=done,
        zone=ZoneInfo(scope.tenant.time_zone),
        may_write="templates.write" in principal.permissions and principal.reach.everything,
        may_read_messages="messages.read" in principal.permissions,
    )


@router.get("/admin/message-texts/new")
def show_new(
    page: Page, _: Writer, scope: TenantScope, purpose: str = "reminders", language: str = "en"
) -> HTMLResponse:
    """Show the form of a text, with the version that is sent now, or a suggestion."""
    with scope.session(readonly=True) as session:
        row = templates.active(session, purpose, [language])
    suggestion = templates.EXAMPLES.get(language, "") if purpose == "reminders" else ""
    form = TextForm(purpose=purpose[:40], language=language[:10], body=suggestion if row is None else row.body)
    return _form_page(page, scope, form)


@router.post("/admin/message-texts/new")
def post_new(page: Page, _: Writer, scope: TenantScope, form: Annotated[TextForm, Form()]) -> Response:
    """Save a text, or show its preview."""
    if form.act == "preview":
        return _form_page(page, scope, form)
    try:
        body = TemplatePost.model_validate(form.model_dump(include={"purpose", "language", "body"}))
        with scope.session() as session:
            templates.save(session, body)
    except (ValidationError, Invalid):
        return _form_page(page, scope, form, rejected=True)
    return RedirectResponse("/admin/message-texts?done=saved", SEE_OTHER)


@router.post("/admin/message-texts/{template_id}/retire")
def post_retire(_: Writer, scope: TenantScope, template_id: UUID) -> RedirectResponse:
    """Send a text no longer."""
    with scope.session() as session:
        templates.retire(session, template_id)
    return RedirectResponse("/admin/message-texts?done=retired", SEE_OTHER)


def _form_page(page: PageContext, scope: Scope, form: TextForm, *, rejected: bool = False) -> HTMLResponse:
    body = form.body.strip()
    with scope.session(readonly=True) as session:
        preview = templates.preview(session, body[:MOST_TEXT]) if body else None
    return page.render(
        "portal/admin/message_text.html",
        scope.principal,
        status=Invalid.status if rejected else 200,
        partner=scope.tenant.name,
        current="/admin",
        form=form,
        preview=preview,
        rejected=rejected,
        words=words,
        most=MOST_TEXT,
    )
