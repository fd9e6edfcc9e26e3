"""Pages of a partner's settings: the groups, and a form for each that its model describes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import Scope, TenantDb, TenantScope, require
from core.access.pages import Page, PageContext
from core.errors import Invalid, PreconditionFailed
from core.identity import Principal
from core.identity.tenant_roles.service import list_roles
from core.plugins import instances
from core.preferences import registry, service
from core.preferences.service import GroupState
from core.web.etag import ExpectedVersions, etag
from core.web.pages import SEE_OTHER
from core.web.texts import gettext as _
from tenants.portal.setting_fields import PREFIX, document_of, fields_of, with_texts, wrong_fields
from tenants.portal.setting_words import group_words

router = APIRouter()

Reader = Annotated[Principal, Depends(require("settings.read"))]
Writer = Annotated[Principal, Depends(require("settings.write"))]
GroupName = Annotated[str, Path(max_length=100)]


async def sent_texts(request: Request) -> dict[str, str]:
    """The texts of the form, by the names of its fields, which each group has of its own; several of one on lines."""
    texts: dict[str, list[str]] = {}
    for name, value in (await request.form()).multi_items():
        if isinstance(value, str):
            texts.setdefault(name, []).append(value)
    return {name: "\n".join(values) for name, values in texts.items()}


Sent = Annotated[dict[str, str], Depends(sent_texts)]


@router.get("/admin/settings")
def show_settings(page: Page, principal: Reader, scope: TenantScope, db: TenantDb) -> HTMLResponse:
    """Show the groups of settings."""
    return page.render(
        "portal/admin/settings.html",
        principal,
        partner=scope.tenant.name,
        current="/admin",
        states=service.read_all(db),
        group_words=group_words,
    )


@router.get("/admin/settings/{group}")
def show_group(
    page: Page, _: Reader, scope: TenantScope, db: TenantDb, group: GroupName, done: str = ""
) -> HTMLResponse:
    """Show the settings of a group, in a form if the person may change them."""
    return _group_page(page, scope, service.read(db, registry.group(group)), done=done)


@router.post("/admin/settings/{group}")
def post_group(page: Page, principal: Writer, scope: TenantScope, group: GroupName, sent: Sent) -> Response:
    """Change the settings of a group. A setting without a value follows its default."""
    entry = registry.changeable(group, principal.permissions)
    with scope.session() as session:
        state = service.read(session, entry)
    try:
        with scope.session() as session:
            service.replace(session, entry, document_of(state, sent), _expected(sent))
    except (Invalid, PreconditionFailed) as error:
        return _group_page(page, scope, state, error=error, sent=sent)
    return RedirectResponse(f"/admin/settings/{entry.name}?done=changed", SEE_OTHER)


@router.post("/admin/settings/{group}/reset")
def post_reset(principal: Writer, scope: TenantScope, group: GroupName) -> RedirectResponse:
    """Reset all settings of a group to their defaults."""
    entry = registry.changeable(group, principal.permissions)
    with scope.session() as session:
        service.reset(session, entry)
    return RedirectResponse(f"/admin/settings/{entry.name}?done=reset", SEE_OTHER)


def _expected(sent: dict[str, str]) -> ExpectedVersions:
    return ExpectedVersions(frozenset({sent.get("version", "")}))


def _gateways(scope: Scope) -> dict[str, str]:
    """The partner's enabled SMS gateways: id -> name."""
    with scope.session() as session:
        return {str(row.id): row.name for row in instances.list_instances(session, "sms-gateway") if row.enabled}


def _group_page(
    page: PageContext,
    scope: Scope,
    state: GroupState,
    *,
    done: str = "",
    error: Invalid | PreconditionFailed | None = None,
    sent: dict[str, str] | None = None,
) -> HTMLResponse:
    may = scope.principal.permissions
    roles = [role.name for role in list_roles(scope.tenant)] if state.group.name == "sign_in" else []
    fields = fields_of(state, roles, _gateways(scope) if state.group.name == "messages" else None)
    if sent is not None:
        fields = list(with_texts(fields, sent))
    wrong = wrong_fields(state.group, fields, error.errors) if isinstance(error, Invalid) else {}
    stale = _("Somebody changed these settings meanwhile. Open the page again.")
    return page.render(
        "portal/admin/settings_group.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/admin",
        group=state.group,
        group_words=group_words,
        state=state,
        version=etag(state.version),
        fields=fields,
        wrong=wrong,
        summary=[
            (f"{PREFIX}{field.name}", f"{field.label}: {wrong[field.name]}")
            for outer in fields
            for field in outer.fields()
            if field.name in wrong
        ],
        stale=stale if isinstance(error, PreconditionFailed) else "",
        done=done,
        may_write=may.issuperset(("settings.write", state.group.permission)),
    )
