"""The first page of the room Admin: what an admin can look after, as far as they may open it."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from fastapi.routing import iter_route_contexts

from core.access import TenantScope, require_any
from core.access.pages import Page
from core.identity import Principal
from core.web.texts import marked
from core.webhooks.service import list_endpoints, stopped_by_failures

router = APIRouter()

SECTIONS: Final = (
    ("/admin/people", marked("People"), marked("Who works with the platform, and what they may do."), "people.read"),
    ("/admin/roles", marked("Roles"), marked("What each role permits, and roles of your own."), "people.read"),
    ("/admin/sso", marked("Single sign-on"), marked("Sign in with your own accounts."), "sso.manage"),
    ("/admin/keys", marked("API keys"), marked("Access for programs."), "keys.read"),
    ("/admin/webhooks", marked("Webhooks"), marked("Events for your other systems."), "webhooks.read"),
    (
        "/admin/plugins",
        marked("Channels and plugins"),
        marked("How alerts, messages and records travel."),
        "plugins.read",
    ),
    ("/admin/message-texts", marked("Texts of messages"), marked("What patients are sent."), "templates.write"),
    ("/admin/settings", marked("Settings"), marked("How lists, risk and records work here."), "settings.read"),
    ("/admin/billing", marked("Bill"), marked("What you use, what you will pay, and your invoices."), "billing.read"),
    ("/admin/schedules", marked("Schedules"), marked("Work that the platform repeats, and when."), "settings.read"),
    ("/admin/audit", marked("Audit"), marked("Who did what, to which record, and when."), "audit.read"),
)
"""Address, name, what it is for, and the permission that its page needs."""

Reader = Annotated[Principal, Depends(require_any(*(needed for _path, _name, _use, needed in SECTIONS)))]


@router.get("/admin")
def show_admin(page: Page, principal: Reader, scope: TenantScope) -> HTMLResponse:
    """Show the parts of Admin that the person may open."""
    stopped = []
    if "webhooks.read" in principal.permissions and principal.reach.everything:
        with scope.session(readonly=True) as session:
            stopped = stopped_by_failures(list_endpoints(session))
    paths = {route.path for route in iter_route_contexts(page.request.app.routes)}
    return page.render(
        "portal/admin/admin.html",
        principal,
        partner=scope.tenant.name,
        current="/admin",
        stopped=stopped,
        sections=[each for each in SECTIONS if each[0] in paths and each[3] in principal.permissions],
    )
