"""Pages of the escalation policies: who is notified after whom, until somebody acknowledges an alert."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.database import TenantSession
from core.errors import AppError, Conflict
from core.identity import Principal
from core.web.etag import etag
from core.web.pages import SEE_OTHER
from core.web.texts import gettext as _
from tenants.alerts import channels, management
from tenants.alerts.management_schemas import PolicyIn
from tenants.alerts.models import AlertPolicy, OnCallRota
from tenants.portal import alert_words as words
from tenants.portal.alert_forms import REJECTED, PolicyForm, checked, problem_of

router = APIRouter()

Manager = Annotated[Principal, Depends(require("alerts.manage"))]
Sent = Annotated[PolicyForm, Form()]
HOME: Final = "/alerts/policies"
MOST_STEPS: Final = 20


@router.get("/alerts/policies")
def show_policies(page: Page, principal: Manager, scope: TenantScope, done: str = "") -> HTMLResponse:
    """Show the escalation policies with their steps."""
    with scope.session(readonly=True) as session:
        rows = management.list_of(session, AlertPolicy)
        names = dict(_targets(session))
    return page.render(
        "portal/alerts/policies.html",
        principal,
        partner=scope.tenant.name,
        current="/alerts",
        sections=words.sections_of_alerts(principal, HOME),
        policies=[(row, _steps(row, names)) for row in rows],
        may_add=bool(names) and len(rows) < management.MOST,
        words=words,
        done=done,
    )


@router.get("/alerts/policies/new")
def show_new_policy(page: Page, _: Manager, scope: TenantScope) -> HTMLResponse:
    """Show the form of a new escalation policy."""
    return _form_page(page, scope, None, PolicyForm(minutes=["0"], target=[""]))


@router.post("/alerts/policies/new")
def post_new_policy(page: Page, _: Manager, scope: TenantScope, form: Sent) -> Response:
    """Add an escalation policy, or show the form with one more step."""
    if form.act == "more":
        return _form_page(page, scope, None, form, more=True)
    try:
        values = checked(PolicyIn, form.values()).model_dump(mode="json")
        with scope.session() as session:
            management.add(session, AlertPolicy, values, source="page")
    except REJECTED as error:
        return _form_page(page, scope, None, form, error)
    return RedirectResponse(f"{HOME}?done=saved", SEE_OTHER)


@router.get("/alerts/policies/{policy_id}")
def show_policy(page: Page, _: Manager, scope: TenantScope, policy_id: UUID) -> HTMLResponse:
    """Show the form of an escalation policy."""
    return _form_page(page, scope, policy_id, _stored(scope, policy_id))


@router.post("/alerts/policies/{policy_id}")
def post_policy(page: Page, _: Manager, scope: TenantScope, policy_id: UUID, form: Sent) -> Response:
    """Change an escalation policy, or show the form with one more step."""
    if form.act == "more":
        return _form_page(page, scope, policy_id, form, more=True)
    try:
        values = checked(PolicyIn, form.values()).model_dump(mode="json")
        with scope.session() as session:
            management.change(session, AlertPolicy, policy_id, values, form.expected(), source="page")
    except REJECTED as error:
        return _form_page(page, scope, policy_id, form, error)
    return RedirectResponse(f"{HOME}?done=saved", SEE_OTHER)


@router.post("/alerts/policies/{policy_id}/remove")
def post_policy_removal(page: Page, _: Manager, scope: TenantScope, policy_id: UUID, form: Sent) -> Response:
    """Remove an escalation policy that no route uses."""
    try:
        with scope.session() as session:
            management.remove(session, AlertPolicy, policy_id, form.expected(), source="page")
    except Conflict as error:
        return _form_page(page, scope, policy_id, _stored(scope, policy_id), error)
    return RedirectResponse(f"{HOME}?done=removed", SEE_OTHER)


def _stored(scope: Scope, policy_id: UUID) -> PolicyForm:
    with scope.session(readonly=True) as session:
        row = management.find(session, AlertPolicy, policy_id)
    return PolicyForm(
        version=etag(row.version_id),
        name=row.name,
        minutes=[str(step["after_minutes"]) for step in row.steps],
        target=[_target_of(step) for step in row.steps],
        repeats=str(row.repeats),
    )


def _target_of(step: dict[str, Any]) -> str:
    return f"channel:{step['channel_id']}" if step.get("channel_id") else f"rota:{step['rota_id']}"


def _steps(row: AlertPolicy, names: dict[str, str]) -> list[tuple[int, str]]:
    gone = _("a channel that is gone")
    return [(step["after_minutes"], names.get(_target_of(step), gone)) for step in row.steps]


def _targets(session: TenantSession) -> list[tuple[str, str]]:
    rotas = management.list_of(session, OnCallRota)
    return [(f"rota:{each.id}", _("On call: {name}").format(name=each.name)) for each in rotas] + [
        (f"channel:{each.id}", each.name) for each in channels.list_channels(session)
    ]


def _form_page(
    page: PageContext,
    scope: Scope,
    policy_id: UUID | None,
    form: PolicyForm,
    error: AppError | None = None,
    *,
    more: bool = False,
) -> HTMLResponse:
    with scope.session(readonly=True) as session:
        targets = _targets(session)
    rows = [row for row in form.rows() if row[1]]
    # A channel that is switched off must not leave the policy when somebody saves the form.
    targets += [(each, _("a channel that is gone")) for each in sorted({row[1] for row in rows} - dict(targets).keys())]
    blank = max(1, 2 - len(rows)) + more
    return page.render(
        "portal/alerts/policy.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/alerts",
        policy_id=policy_id,
        form=form,
        rows=[*rows, *[("15" if rows else "0", "")] * blank][:MOST_STEPS],
        targets=[("", _("Nobody")), *targets],
        may_add_step=len(rows) + blank < MOST_STEPS,
        problem=None if error is None else problem_of(error),
    )
