"""Pages of a partner's roles: what each permits, and the partner's own."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Path
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.errors import AppError, Conflict, Forbidden, Invalid, PreconditionFailed
from core.idempotency import ROLES
from core.identity import Principal, permission_words
from core.identity.tenant_roles import service
from core.identity.tenant_roles.service import INCLUDABLE, MEANING_MAX, NAME_MAX, RoleAuthor, RoleDraft, RoleView
from core.web.etag import ExpectedVersions, etag
from core.web.pages import SEE_OTHER
from tenants.portal import admin_words as words

router = APIRouter()

Reader = Annotated[Principal, Depends(require("people.read"))]
Writer = Annotated[Principal, Depends(require("roles.write"))]
RoleName = Annotated[str, Path(max_length=100)]
REJECTED = (Invalid, Conflict, Forbidden, PreconditionFailed)
_NAMES = {"name": "role_name"}
"""Names of fields in the form, where the service calls them otherwise."""


class RoleForm(BaseModel):
    """The form of a role of the partner's own."""

    model_config = ConfigDict(extra="ignore")

    role_name: str = Field(default="", max_length=2 * NAME_MAX)
    meaning: str = Field(default="", max_length=2 * MEANING_MAX)
    includes: list[str] = Field(default=[], max_length=20)
    permissions: list[str] = Field(default=[], max_length=200)
    version: str = Field(default="", max_length=100)

    def draft(self, name: str) -> RoleDraft:
        """The role that the form describes, under this name."""
        return RoleDraft(name, self.meaning, tuple(self.includes), tuple(self.permissions))


@router.get("/admin/roles")
def show_roles(page: Page, principal: Reader, scope: TenantScope, done: str = "") -> HTMLResponse:
    """Show the built-in roles and the partner's own."""
    roles = service.list_roles(scope.tenant)
    return page.render(
        "portal/admin/roles.html",
        principal,
        partner=scope.tenant.name,
        current="/admin",
        own=[role for role in roles if not role.built_in],
        built_in=[role for role in roles if role.built_in],
        words=words,
        done=done,
        may_write="roles.write" in principal.permissions,
    )


@router.get("/admin/roles/new")
def show_new(page: Page, _: Writer, scope: TenantScope) -> HTMLResponse:
    """Show the form of a new role."""
    return _role_page(page, scope, None, RoleForm())


@router.post("/admin/roles/new", dependencies=[ROLES])
def post_new(page: Page, _: Writer, scope: TenantScope, form: Annotated[RoleForm, Form()]) -> Response:
    """Create a role of the partner's own."""
    try:
        role = service.create_role(scope.tenant, form.draft(form.role_name), _author(scope))
    except REJECTED as error:
        return _role_page(page, scope, None, form, error)
    return RedirectResponse(f"/admin/roles/{role.name}?done=created", SEE_OTHER)


@router.get("/admin/roles/{role_name}")
def show_role(page: Page, _: Reader, scope: TenantScope, role_name: RoleName, done: str = "") -> HTMLResponse:
    """Show what one role permits; the form to change it, if it is the partner's own."""
    role = service.get_role(scope.tenant, role_name)
    return _role_page(page, scope, role, _form_of(role), done=done)


@router.post("/admin/roles/{role_name}", dependencies=[ROLES])
def post_change(
    page: Page, _: Writer, scope: TenantScope, role_name: RoleName, form: Annotated[RoleForm, Form()]
) -> Response:
    """Change a role of the partner's own, for everybody who has it, from their next request on."""
    try:
        service.change_role(scope.tenant, form.draft(role_name), _author(scope), _expected(form))
    except REJECTED as error:
        return _role_page(page, scope, service.get_role(scope.tenant, role_name), form, error)
    return RedirectResponse(f"/admin/roles/{role_name}?done=changed", SEE_OTHER)


@router.post("/admin/roles/{role_name}/delete", dependencies=[ROLES])
def post_delete(
    page: Page, _: Writer, scope: TenantScope, role_name: RoleName, form: Annotated[RoleForm, Form()]
) -> Response:
    """Delete a role that nobody has."""
    try:
        service.delete_role(scope.tenant, role_name, _author(scope), _expected(form))
    except REJECTED as error:
        role = service.get_role(scope.tenant, role_name)
        return _role_page(page, scope, role, _form_of(role), error)
    return RedirectResponse("/admin/roles?done=deleted", SEE_OTHER)


def _author(scope: Scope) -> RoleAuthor:
    principal = scope.principal
    return RoleAuthor(principal.actor, "page", permissions=principal.permissions, request_id=scope.request_id)


def _expected(form: RoleForm) -> ExpectedVersions:
    return ExpectedVersions(frozenset({form.version}))


def _form_of(role: RoleView) -> RoleForm:
    version: UUID | None = role.version_id
    return RoleForm(
        role_name=role.name,
        meaning=role.meaning,
        includes=list(role.includes),
        permissions=list(role.permissions),
        version="" if version is None else etag(version),
    )


def _role_page(
    page: PageContext,
    scope: Scope,
    role: RoleView | None,
    form: RoleForm,
    error: AppError | None = None,
    *,
    done: str = "",
) -> HTMLResponse:
    may = scope.principal.permissions
    return page.render(
        "portal/admin/role.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/admin",
        role=role,
        form=form,
        includes=[(name, words.role_name(name), "") for name in INCLUDABLE],
        permissions=[(name, permission_words(name), "") for name in sorted(may)],
        permission_words=permission_words,
        done=done,
        problem=None if error is None else words.problem_of(error, _NAMES),
        words=words,
        may_write="roles.write" in may and (role is None or not role.built_in),
    )
