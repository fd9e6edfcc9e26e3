"""Pages of the rules of alerts: which are on, and one with its severity and threshold."""

from dataclasses import replace
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Path
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.errors import AppError, Invalid, PreconditionFailed, PreconditionRequired
from core.identity import Principal
from core.identity.people.members import names_of
from core.identity.principal import people_of_actors
from core.web.etag import etag
from core.web.pages import SEE_OTHER
from tenants.alerts import rules
from tenants.alerts.management_schemas import RuleIn
from tenants.alerts.preview import DAYS, Preview, preview
from tenants.alerts.rules import Rule, RuleChoice
from tenants.portal import alert_words as words
from tenants.portal.alert_forms import RuleForm, checked, problem_of

router = APIRouter()

Manager = Annotated[Principal, Depends(require("alerts.manage"))]
RuleName = Annotated[str, Path(max_length=40)]
HOME = "/alerts/rules"


@router.get("/alerts/rules")
def show_rules(page: Page, principal: Manager, scope: TenantScope, done: str = "") -> HTMLResponse:
    """Show every rule as it applies, the clinical ones first."""
    with scope.session(readonly=True) as session:
        rows = rules.list_rules(session)
    return page.render(
        "portal/alerts/rules.html",
        principal,
        partner=scope.tenant.name,
        current="/alerts",
        sections=words.sections_of_alerts(principal, HOME),
        rules=[(rule, form_of(rule)) for rule in rows],
        words=words,
        done=done,
    )


@router.get("/alerts/rules/{rule}")
def show_rule(page: Page, _: Manager, scope: TenantScope, rule: RuleName) -> HTMLResponse:
    """Show the form of a rule, with what it would have raised."""
    with scope.session(readonly=True) as session:
        chosen = rules.get_rule(session, rule)
        seen = preview(session, chosen)
    return _page(page, scope, chosen, form_of(chosen), seen)


@router.post("/alerts/rules/{rule}")
def post_rule(
    page: Page, _: Manager, scope: TenantScope, rule: RuleName, form: Annotated[RuleForm, Form()]
) -> Response:
    """Save a rule, or show what it would have raised with this threshold."""
    with scope.session(readonly=True) as session:
        chosen = rules.get_rule(session, rule)
    try:
        choice = RuleChoice(**checked(RuleIn, form.values()).model_dump())
        if form.act == "preview":
            with scope.session(readonly=True) as session:
                seen = preview(session, replace(chosen, threshold=choice.threshold))
            return _page(page, scope, chosen, form, seen, threshold=choice.threshold)
        with scope.session() as session:
            rules.change_rule(session, rule, choice, form.expected(), source="page")
    except (Invalid, PreconditionFailed, PreconditionRequired) as error:
        return _page(page, scope, chosen, form, None, error)
    return RedirectResponse(f"{HOME}?done={chosen.kind.name}", SEE_OTHER)


def form_of(rule: Rule) -> RuleForm:
    """The form that shows a rule as it applies."""
    return RuleForm(
        version="" if rule.version_id is None else etag(rule.version_id),
        enabled="yes" if rule.enabled else "",
        severity=rule.severity,
        threshold=str(rule.threshold),
        repeat_hours=str(rule.repeat_hours),
    )


def _page(
    page: PageContext,
    scope: Scope,
    rule: Rule,
    form: RuleForm,
    seen: Preview | None,
    error: AppError | None = None,
    *,
    threshold: int | None = None,
) -> HTMLResponse:
    people = names_of(scope.tenant, people_of_actors([rule.changed_by or ""]))
    return page.render(
        "portal/alerts/rule.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/alerts",
        sections=words.sections_of_alerts(scope.principal, HOME),
        rule=rule,
        form=form,
        preview=seen,
        threshold=rule.threshold if threshold is None else threshold,
        days=DAYS,
        changed_by=next(iter(people.values()), ""),
        problem=None if error is None else problem_of(error),
        words=words,
        zone=ZoneInfo(scope.tenant.time_zone),
    )
