"""The page on which a partner's admin sets up, tests and enforces sign-in by the partner's own provider."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from core.access import TenantScope, require
from core.access.pages import Page, PageContext
from core.errors import (
    AppError,
    Conflict,
    FieldError,
    Invalid,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Unavailable,
)
from core.idempotency import CONTROL_DATABASE, REPEATABLE
from core.identity import Principal
from core.identity.oidc import domains, providers
from core.identity.oidc.author import Author
from core.identity.oidc.checkup import Finding, check_up
from core.identity.oidc.providers import ROLES_CLAIM, Draft, SsoProviderState
from core.identity.oidc.schemas import (
    BACK_CHANNEL,
    CALLBACK,
    CLIENT_MAX,
    ISSUER_MAX,
    NAME_MAX,
    SECRET_MAX,
    SIGN_IN,
)
from core.identity.people import members
from core.identity.roles import ADMIN, PROGRAM
from core.identity.tenant_roles.service import list_roles
from core.web.etag import ExpectedVersions, etag
from core.web.own_address import own_origin
from core.web.pages import SEE_OTHER
from core.web.problem_texts import problem_text, shown_sentence
from core.web.stored_texts import shown_phrase
from core.web.texts import gettext as _
from tenants.portal.admin_words import role_name
from tenants.portal.sso_words import check_name, field_name

router = APIRouter()

PATH = "/admin/sso"
MOST_PEOPLE = 1000
STALE = (Invalid, PreconditionFailed, PreconditionRequired)
Version = Annotated[str, Form(max_length=100)]
Manager = Annotated[Principal, Depends(require("sso.manage"))]


class ProviderForm(BaseModel):
    """The form of the provider."""

    issuer: str = Field(default="", max_length=ISSUER_MAX)
    client_id: str = Field(default="", max_length=CLIENT_MAX)
    client_secret: str = Field(default="", max_length=SECRET_MAX)
    roles_claim: str = Field(default="", max_length=NAME_MAX)
    role_mapping: str = Field(default="", max_length=60_000)
    default_role: str = Field(default="", max_length=NAME_MAX)
    version: str = Field(default="", max_length=100)


@router.get(PATH)
def show_sso(request: Request, page: Page, principal: Manager, scope: TenantScope) -> HTMLResponse:
    """Show the provider, the domains, and the addresses to register."""
    return _page(request, page, principal, scope)


@router.post(PATH, dependencies=[CONTROL_DATABASE])
def post_sso(
    request: Request,
    page: Page,
    principal: Manager,
    scope: TenantScope,
    form: Annotated[ProviderForm, Form()],
) -> Response:
    """Set up the provider, or change it. Whether it is enforced stays as it is."""
    try:
        draft = _draft_of(form, _provider(scope))
        providers.put_provider(scope.tenant, draft, _author(principal), _seen(form.version))
    except STALE as error:
        return _page(request, page, principal, scope, problem=error)
    return _back()


@router.post(f"{PATH}/remove", dependencies=[CONTROL_DATABASE])
def post_remove(
    request: Request, page: Page, principal: Manager, scope: TenantScope, version: Version = ""
) -> Response:
    """Remove the provider. Its sessions end, and passwords work again."""
    try:
        providers.remove_provider(scope.tenant, _author(principal), _seen(version))
    except PreconditionFailed as error:
        return _page(request, page, principal, scope, problem=error)
    return _back()


@router.post(f"{PATH}/test", dependencies=[REPEATABLE])
def post_test(request: Request, page: Page, principal: Manager, scope: TenantScope) -> HTMLResponse:
    """Test the provider from this server, and show what each check found."""
    findings = check_up(scope.tenant, f"{own_origin(request)}{CALLBACK}")
    return _page(request, page, principal, scope, findings=findings)


@router.post(f"{PATH}/enforce", dependencies=[CONTROL_DATABASE])
def post_enforce(
    request: Request,
    page: Page,
    principal: Manager,
    scope: TenantScope,
    person_id: Annotated[UUID | None, Form()] = None,
    enforced: Annotated[str, Form(max_length=5)] = "",
    version: Version = "",
) -> Response:
    """Reject passwords of all but one admin, or let passwords work again."""
    draft = replace(
        Draft.of(providers.get_provider(scope.tenant)),
        enforced=bool(enforced),
        break_glass_person_id=person_id if enforced else None,
    )
    try:
        providers.put_provider(scope.tenant, draft, _author(principal), _seen(version))
    except STALE as error:
        return _page(request, page, principal, scope, problem=error)
    return _back()


@router.post(f"{PATH}/domains", dependencies=[CONTROL_DATABASE])
def post_domain(
    request: Request,
    page: Page,
    principal: Manager,
    scope: TenantScope,
    domain: Annotated[str, Form(max_length=domains.DOMAIN_MAX)] = "",
) -> Response:
    """Claim a domain."""
    try:
        domains.claim_domain(scope.tenant, domain, _author(principal))
    except (Invalid, Conflict) as error:
        return _page(request, page, principal, scope, problem=error)
    return _back("#domains")


@router.post(f"{PATH}/domains/{{domain_id}}/check", dependencies=[REPEATABLE])
def post_check(request: Request, page: Page, principal: Manager, scope: TenantScope, domain_id: UUID) -> Response:
    """Look for the record of a domain."""
    try:
        domains.check_domain(scope.tenant, domain_id, _author(principal))
    except (Conflict, Unavailable) as error:
        return _page(request, page, principal, scope, problem=error)
    return _back("#domains")


@router.post(f"{PATH}/domains/{{domain_id}}/remove", dependencies=[CONTROL_DATABASE])
def post_remove_domain(principal: Manager, scope: TenantScope, domain_id: UUID) -> Response:
    """Remove a domain."""
    domains.remove_domain(scope.tenant, domain_id, _author(principal))
    return _back("#domains")


def _page(
    request: Request,
    page: PageContext,
    principal: Principal,
    scope: TenantScope,
    *,
    problem: AppError | None = None,
    findings: list[Finding] | None = None,
) -> HTMLResponse:
    tenant, origin = scope.tenant, own_origin(request)
    present = _provider(scope)
    people = members.list_members(tenant, limit=MOST_PEOPLE)[0]
    return page.render(
        "portal/sso_admin.html",
        principal,
        status=200 if problem is None else problem.status,
        current="/admin",
        partner=tenant.name,
        provider=present,
        version="" if present is None else etag(present.version_id),
        problems=[] if problem is None else _lines(problem),
        findings=[
            (
                check_name(finding.check),
                _("Right") if finding.ok else _("Wrong"),
                shown_sentence(finding.problem),
                shown_sentence(finding.remedy),
            )
            for finding in findings or ()
        ],
        domains=domains.list_domains(tenant),
        mapping=_mapping_text(present),
        roles=[(role.name, role_name(role.name)) for role in list_roles(tenant) if role.name != PROGRAM],
        admins=[(person.id, person.name) for person in people if ADMIN in person.roles and not person.invited],
        addresses=[
            (_("Redirect address"), f"{origin}{CALLBACK}"),
            (_("Address after signing out"), f"{origin}/sign-in"),
            (_("Back-channel logout"), f"{origin}{BACK_CHANNEL}/{tenant.id}"),
            (_("Address that begins a sign-in"), f"{origin}{SIGN_IN}?partner={tenant.slug}"),
        ],
    )


def _provider(scope: TenantScope) -> SsoProviderState | None:
    try:
        return providers.get_provider(scope.tenant)
    except NotFound:
        return None


def _draft_of(form: ProviderForm, present: SsoProviderState | None) -> Draft:
    """The draft in a form.

    Raises:
        Invalid: the issuer or the client is missing, or a line of the mapping is not valid.
    """
    issuer, client_id = form.issuer.strip(), form.client_id.strip()
    if not issuer or not client_id:
        raise _missing()
    return Draft(
        issuer,
        client_id,
        form.client_secret or None,
        form.roles_claim.strip() or ROLES_CLAIM,
        _mapping_of(form.role_mapping),
        form.default_role or None,
        enforced=present is not None and present.enforced,
        break_glass_person_id=None if present is None else present.break_glass_person_id,
    )


def _mapping_of(text: str) -> dict[str, str]:
    """The mapping in lines such as ``iit-trackers = tracking_officer``.

    Raises:
        Invalid: a line has no value or no role.
    """
    mapping = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        value, _separator, role = (part.strip() for part in line.rpartition("="))
        if not value or not role:
            detail = "a line of the mapping is not valid"
            remedy = "Write a value, = and a role on each line."
            raise Invalid(detail, errors=[FieldError("role_mapping", "has a line without value or role", remedy)])
        mapping[value] = role
    return mapping


def _mapping_text(provider: SsoProviderState | None) -> str:
    pairs = () if provider is None else sorted(provider.role_mapping.items())
    return "\n".join(f"{value} = {role}" for value, role in pairs)


def _missing() -> Invalid:
    detail = "the single sign-on is not valid"
    return Invalid(detail, errors=[FieldError("issuer", "or the client id is missing", "Give both.")])


def _lines(problem: AppError) -> list[tuple[str, str]]:
    """The problems for the summary of errors: field and text."""
    if not problem.errors:
        return [("", problem_text(problem))]
    return [
        (each.field, f"{field_name(each.field)}: {shown_phrase(each.problem)}. {shown_sentence(each.remedy)}".strip())
        for each in problem.errors
    ]


def _seen(version: str) -> ExpectedVersions:
    return ExpectedVersions(frozenset(filter(None, (version,))))


def _author(principal: Principal) -> Author:
    return Author(principal.actor, source="page", permissions=principal.permissions)


def _back(part: str = "") -> RedirectResponse:
    return RedirectResponse(f"{PATH}{part}", SEE_OTHER)
