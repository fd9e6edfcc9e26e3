"""The caller, and the API keys of the caller's tenant."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from core.access import AnyScope, PrincipalScope, TenantScope, no_key, require, signed_in
from core.errors import Forbidden, NotFound
from core.errors.problem import responses
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.identity.facilities import datim_ids_of
from core.identity.key_creation import create_for
from core.identity.keys import NEWEST_FIRST, count_keys, get_key, list_keys, revoke_key
from core.identity.people.account_rows import choose_language, choose_name
from core.identity.schemas import ApiKeyCreated, ApiKeyIn, ApiKeyOut, Me, MeIn, MyScope, MyTenant
from core.web.location import set_location
from core.web.paging import Page, PageRequest, sorted_pages

router = APIRouter()

SignedIn = Annotated[Principal, Depends(signed_in)]
Myself = Annotated[Principal, Depends(no_key)]
KeysRead = Annotated[Principal, Depends(require("keys.read"))]
KeysWrite = Annotated[Principal, Depends(require("keys.write"))]
Ordered = Annotated[PageRequest, Depends(sorted_pages({"created_at": datetime, "name": str}, str(NEWEST_FIRST)))]
"""Page and order of the list of keys. It needs no cursor, because people create keys by hand and there are few."""


@router.get("/me", tags=["identity"], operation_id="get_me", summary="Get the caller: who it is, what it may do")
def get_me(principal: SignedIn, scope: AnyScope) -> Me:
    """Return the caller. Needs a valid credential, but no permission."""
    return _shown(principal, scope, principal.language)


@router.put(
    "/me",
    tags=["identity"],
    operation_id="change_me",
    summary="Change your name and language",
    responses=responses(Forbidden),
    dependencies=[CONTROL_DATABASE],
)
def put_me(principal: Myself, scope: AnyScope, body: MeIn) -> Me:
    """Choose your name, and the language of pages and letters, from the next request on. Not for API keys."""
    person_id = UUID(principal.id)
    if body.name is not None:
        principal = replace(principal, name=choose_name(person_id, body.name))
    choose_language(person_id, body.language)
    return _shown(principal, scope, body.language)


def _shown(principal: Principal, scope: PrincipalScope, language: str | None) -> Me:
    states = principal.states
    return Me(
        kind=cast("Literal['api_key', 'person', 'operator']", principal.kind),
        id=principal.id,
        name=principal.name,
        tenant=None if scope.tenant is None else MyTenant.model_validate(scope.tenant),
        permissions=sorted(principal.permissions),
        roles=sorted(principal.roles),
        scope=MyScope(
            facilities=_facilities(principal, scope),
            states=None if states is None else sorted(states),
            assigned_only=principal.assigned_to is not None,
        ),
        on_behalf_of=principal.on_behalf_of,
        language=language,
        signed_in_by=principal.signed_in_by,
        expires_at=principal.expires_at,
    )


def _facilities(principal: Principal, scope: PrincipalScope) -> list[str] | None:
    if principal.facility_ids is None or scope.tenant is None:
        return None
    return sorted(datim_ids_of(scope.tenant, principal.facility_ids).values())


@router.get("/keys", tags=["identity"], operation_id="list_keys", summary="List API keys, newest first unless sorted")
def get_keys(_: KeysRead, scope: TenantScope, paging: Ordered) -> Page[ApiKeyOut]:
    """List the API keys. Revoked and expired keys stay in the list."""
    keys = list_keys(scope.tenant, limit=paging.limit, offset=paging.offset, sort=paging.sort or NEWEST_FIRST)
    return Page.of([ApiKeyOut.model_validate(key) for key in keys], paging, count_keys(scope.tenant))


@router.post(
    "/keys",
    tags=["identity"],
    operation_id="create_key",
    status_code=201,
    summary="Create an API key",
    dependencies=[CONTROL_DATABASE],
)
def post_key(_: KeysWrite, scope: TenantScope, body: ApiKeyIn, response: Response) -> ApiKeyCreated:
    """Create an API key.

    Only this answer shows its text. A key has no more permissions than its creator, and a key of a person never permits
    more than that person may do at the time of the request.
    """
    created = create_for(scope, body.name, body.permissions, body.expires_at)
    set_location(response, f"/v1/keys/{created.id}")
    shown = ApiKeyOut.model_validate(get_key(scope.tenant, created.id))
    return ApiKeyCreated(**shown.model_dump(), api_key=created.plaintext)


@router.get("/keys/{key_id}", tags=["identity"], operation_id="get_key", summary="Get an API key")
def get_one_key(_: KeysRead, scope: TenantScope, key_id: UUID) -> ApiKeyOut:
    """Return one key without its secret, which is not stored."""
    return ApiKeyOut.model_validate(get_key(scope.tenant, key_id))


@router.delete(
    "/keys/{key_id}",
    tags=["identity"],
    operation_id="revoke_key",
    status_code=204,
    summary="Revoke an API key",
    responses=responses(NotFound),
    dependencies=[CONTROL_DATABASE],
)
def delete_key(principal: KeysWrite, scope: TenantScope, key_id: UUID) -> None:
    """Revoke a key at once; it remains in the list. Revoking it again changes nothing."""
    key = get_key(scope.tenant, key_id)
    revoke_key(scope.tenant, str(key.id), actor=principal.actor, source="api", request_id=scope.request_id)
