"""The roles of a tenant over the API."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from core.access import TenantScope, require
from core.errors import Conflict, NotFound, PreconditionFailed, PreconditionRequired
from core.errors.problem import responses
from core.idempotency import ROLES
from core.identity import Principal
from core.identity.tenant_roles import service
from core.identity.tenant_roles.schemas import RoleFields, RoleIn, RoleOut
from core.web.etag import IfMatch, set_etag
from core.web.location import set_location
from core.web.paging import Page, PageRequest, sorted_pages

router = APIRouter(prefix="/roles", tags=["people"])

RolesRead = Annotated[Principal, Depends(require("people.read"))]
RolesWrite = Annotated[Principal, Depends(require("roles.write"))]
Ordered = Annotated[PageRequest, Depends(sorted_pages({"name": str, "built_in": bool}, "-built_in"))]
"""Page and order of the list of roles. It needs no cursor, because a tenant has at most 100 roles of its own."""
RoleName = Annotated[str, Path(description="Name of the role.", examples=["case-lead"], max_length=100)]
CHANGES = responses(NotFound, Conflict, PreconditionFailed, PreconditionRequired)


@router.get("", operation_id="list_roles", summary="List the roles that people can have")
def list_roles(_: RolesRead, scope: TenantScope, paging: Ordered) -> Page[RoleOut]:
    """List the built-in roles, then the tenant's own unless sorted, each with its permissions."""
    roles = service.list_roles(scope.tenant)
    if paging.sort is not None:
        roles.sort(key=attrgetter(paging.sort.field), reverse=paging.sort.descending)
    shown = roles[paging.offset : paging.offset + paging.limit]
    return Page.of([RoleOut.model_validate(role) for role in shown], paging, len(roles))


@router.post(
    "",
    operation_id="create_role",
    status_code=201,
    summary="Create a role",
    responses=responses(Conflict),
    dependencies=[ROLES],
)
def create_role(principal: RolesWrite, scope: TenantScope, body: RoleIn, response: Response) -> RoleOut:
    """Create a role of the tenant. It can contain only permissions that you hold yourself."""
    draft = service.RoleDraft(body.name, body.meaning, tuple(body.includes), tuple(body.permissions))
    role = service.create_role(scope.tenant, draft, _author(principal, scope))
    set_location(response, f"/v1/roles/{role.name}")
    return _answer(response, role)


@router.get("/{role_name}", operation_id="get_role", summary="Get a role", responses=responses(NotFound))
def get_role(_: RolesRead, scope: TenantScope, role_name: RoleName, response: Response) -> RoleOut:
    """Return a built-in role, or a role of the tenant with its ETag."""
    return _answer(response, service.get_role(scope.tenant, role_name))


@router.put(
    "/{role_name}", operation_id="change_role", summary="Change a role", responses=CHANGES, dependencies=[ROLES]
)
def change_role(
    principal: RolesWrite,
    scope: TenantScope,
    role_name: RoleName,
    body: RoleFields,
    if_match: IfMatch,
    response: Response,
) -> RoleOut:
    """Change a role, with effect from the next request of everybody who has it. Built-in roles cannot change."""
    draft = service.RoleDraft(role_name, body.meaning, tuple(body.includes), tuple(body.permissions))
    return _answer(response, service.change_role(scope.tenant, draft, _author(principal, scope), if_match))


@router.delete(
    "/{role_name}",
    operation_id="delete_role",
    status_code=204,
    summary="Delete a role",
    responses=CHANGES,
    dependencies=[ROLES],
)
def delete_role(principal: RolesWrite, scope: TenantScope, role_name: RoleName, if_match: IfMatch) -> None:
    """Delete a role of the tenant that nobody has."""
    service.delete_role(scope.tenant, role_name, _author(principal, scope), if_match)


def _author(principal: Principal, scope: TenantScope) -> service.RoleAuthor:
    return service.RoleAuthor(principal.actor, permissions=principal.permissions, request_id=scope.request_id)


def _answer(response: Response, role: service.RoleView) -> RoleOut:
    if role.version_id is not None:
        set_etag(response, role.version_id, personal=False)
    return RoleOut.model_validate(role)
