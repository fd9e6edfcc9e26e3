"""Single sign-on over the API."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from core.access import TenantScope, require
from core.errors import Conflict, NotFound, PreconditionFailed, PreconditionRequired, Unavailable
from core.errors.problem import responses
from core.idempotency import CONTROL_DATABASE, REPEATABLE
from core.identity import Principal
from core.identity.oidc import domains, providers
from core.identity.oidc.author import Author
from core.identity.oidc.checkup import check_up
from core.identity.oidc.providers import Draft, SsoProviderState
from core.identity.oidc.schemas import (
    BACK_CHANNEL,
    CALLBACK,
    SIGN_IN,
    SsoDomainIn,
    SsoDomainOut,
    SsoFindingOut,
    SsoIn,
    SsoOut,
    SsoTestIn,
    SsoTestOut,
)
from core.web.etag import IfMatch, IfMatchOrNew, set_etag
from core.web.location import set_location
from core.web.own_address import own_origin
from core.web.paging import Page, PageRequest, sorted_pages

router = APIRouter(prefix="/sso", tags=["sso"])

Manager = Annotated[Principal, Depends(require("sso.manage"))]
Ordered = Annotated[PageRequest, Depends(sorted_pages({"domain": str}, "domain"))]
"""Without a cursor: a tenant claims at most ``domains.MOST`` domains."""


@router.get("", operation_id="get_sso", summary="Get the single sign-on", responses=responses(NotFound))
def get_sso(_: Manager, scope: TenantScope, response: Response) -> SsoOut:
    """Return the tenant's provider and what follows from its claims. No answer contains the client's secret."""
    return _tagged(response, providers.get_provider(scope.tenant))


@router.put(
    "",
    operation_id="put_sso",
    summary="Set up the single sign-on, or replace it",
    responses=responses(PreconditionFailed, PreconditionRequired),
    dependencies=[CONTROL_DATABASE],
)
def put_sso(principal: Manager, scope: TenantScope, body: SsoIn, if_match: IfMatchOrNew, response: Response) -> SsoOut:
    """Set up the single sign-on. The caller must hold all that an admin holds.

    Enforcing ends the sessions that passwords began; another issuer ends those that the old one began.
    """
    return _tagged(response, providers.put_provider(scope.tenant, draft_of(body), _author(principal), if_match))


@router.delete(
    "",
    operation_id="delete_sso",
    status_code=204,
    summary="Remove the single sign-on",
    responses=responses(NotFound, PreconditionFailed, PreconditionRequired),
    dependencies=[CONTROL_DATABASE],
)
def delete_sso(principal: Manager, scope: TenantScope, if_match: IfMatch) -> None:
    """Remove the single sign-on. Sessions that the provider began end at once; passwords work again."""
    providers.remove_provider(scope.tenant, _author(principal), if_match)


@router.post(
    "/test",
    operation_id="test_sso",
    summary="Test the single sign-on",
    responses=responses(NotFound),
    dependencies=[REPEATABLE],
)
def post_test(_: Manager, scope: TenantScope, request: Request, body: SsoTestIn) -> SsoTestOut:
    """Check metadata, keys, clock, client, redirect address and domains from this server, without a person."""
    address = f"{body.portal or own_origin(request)}{CALLBACK}"
    findings = check_up(scope.tenant, address)
    return SsoTestOut(
        ok=all(finding.ok for finding in findings),
        redirect_address=address,
        findings=[SsoFindingOut.model_validate(finding) for finding in findings],
    )


@router.get("/domains", operation_id="list_sso_domains", summary="List the domains that the tenant claims, by name")
def list_domains(_: Manager, scope: TenantScope, paging: Ordered) -> Page[SsoDomainOut]:
    """List claimed and proved domains, with the record that proves each."""
    rows = domains.list_domains(scope.tenant)
    if paging.sort is not None and paging.sort.descending:
        rows.reverse()
    shown = rows[paging.offset : paging.offset + paging.limit]
    return Page.of([SsoDomainOut.model_validate(row) for row in shown], paging, len(rows))


@router.post(
    "/domains",
    operation_id="claim_sso_domain",
    status_code=201,
    summary="Claim a domain",
    responses=responses(Conflict),
    dependencies=[CONTROL_DATABASE],
)
def claim_domain(principal: Manager, scope: TenantScope, body: SsoDomainIn, response: Response) -> SsoDomainOut:
    """Claim a domain. Publish ``record`` as a TXT record of the domain, then check it."""
    domain = domains.claim_domain(scope.tenant, body.domain, _author(principal))
    set_location(response, f"/v1/sso/domains/{domain.id}")
    return SsoDomainOut.model_validate(domain)


@router.get(
    "/domains/{domain_id}", operation_id="get_sso_domain", summary="Get a domain", responses=responses(NotFound)
)
def get_domain(_: Manager, scope: TenantScope, domain_id: UUID) -> SsoDomainOut:
    """Return one domain that the tenant claims."""
    return SsoDomainOut.model_validate(domains.get_domain(scope.tenant, domain_id))


@router.post(
    "/domains/{domain_id}/check",
    operation_id="check_sso_domain",
    summary="Look for the record of a domain",
    responses=responses(NotFound, Conflict, Unavailable),
    dependencies=[REPEATABLE],
)
def check_domain(principal: Manager, scope: TenantScope, domain_id: UUID) -> SsoDomainOut:
    """Ask the domain's name servers. The domain is proved if the record is there, and no longer if it is gone."""
    return SsoDomainOut.model_validate(domains.check_domain(scope.tenant, domain_id, _author(principal)))


@router.delete(
    "/domains/{domain_id}",
    operation_id="remove_sso_domain",
    status_code=204,
    summary="Remove a domain",
    responses=responses(NotFound),
    dependencies=[CONTROL_DATABASE],
)
def remove_domain(principal: Manager, scope: TenantScope, domain_id: UUID) -> None:
    """Remove a domain. People who signed in before still can; nobody new of this domain."""
    domains.remove_domain(scope.tenant, domain_id, _author(principal))


def shown(provider: SsoProviderState) -> SsoOut:
    """The provider as the API and the pages show it."""
    tenant = provider.tenant
    return SsoOut(
        issuer=provider.issuer,
        client_id=provider.client_id,
        has_secret=provider.has_secret,
        roles_claim=provider.roles_claim,
        role_mapping=dict(provider.role_mapping),
        default_role=provider.default_role,
        enforced=provider.enforced,
        break_glass_person_id=provider.break_glass_person_id,
        redirect_path=CALLBACK,
        sign_in_path=f"{SIGN_IN}?partner={tenant.slug}",
        back_channel_path=f"{BACK_CHANNEL}/{tenant.id}",
        changed_at=provider.changed_at,
        changed_by=provider.changed_by,
    )


def _tagged(response: Response, provider: SsoProviderState) -> SsoOut:
    set_etag(response, provider.version_id)
    return shown(provider)


def draft_of(body: SsoIn) -> Draft:
    """The draft in a body."""
    return Draft(**body.model_dump())


def _author(principal: Principal) -> Author:
    return Author(principal.actor, permissions=principal.permissions)
