"""Routes of what admins set up for alerts: rules, routes, escalation policies, silences, on-call rotas."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from core.access import TenantDb, require
from core.clock import now
from core.errors import Conflict, NotFound, PreconditionFailed, PreconditionRequired
from core.errors.problem import responses
from core.identity import Principal
from core.web.etag import IfMatch, IfMatchOrNew, set_etag
from core.web.location import set_location
from tenants.alerts import management, rules
from tenants.alerts.management_schemas import (
    OnCallOut,
    OnCallOverrideIn,
    OnCallOverrideOut,
    PolicyIn,
    PolicyOut,
    RotaIn,
    RotaOut,
    RouteIn,
    RouteOut,
    RuleIn,
    RuleOut,
    RulePreviewOut,
    SilenceIn,
    SilenceOut,
)
from tenants.alerts.models import AlertPolicy, AlertRoute, AlertSilence, OnCallRota
from tenants.alerts.oncall import on_call, overrides_of
from tenants.alerts.preview import preview
from tenants.alerts.rules import RuleChoice
from tenants.records.places import facility_named
from tenants.records.repository import datim_ids

router = APIRouter(tags=["alerts"])

Read = Annotated[Principal, Depends(require("alerts.read"))]
Manage = Annotated[Principal, Depends(require("alerts.manage"))]
RuleName = Annotated[str, Path(description="The rule.", examples=["viral_load"], max_length=40)]
Threshold = Annotated[
    int | None, Query(ge=0, le=1_000_000_000, description="In the unit of the rule; without one, as it is set.")
]
CHANGES = responses(NotFound, Conflict, PreconditionFailed, PreconditionRequired)


@router.get("/alert-rules", operation_id="list_alert_rules", summary="List the rules of alerts")
def list_alert_rules(_: Read, db: TenantDb) -> list[RuleOut]:
    """Return every rule as it applies, whole."""
    return [RuleOut.of(rule) for rule in rules.list_rules(db)]


@router.get("/alert-rules/{rule}", operation_id="get_alert_rule", summary="Get a rule", responses=responses(NotFound))
def get_alert_rule(_: Read, db: TenantDb, rule: RuleName, response: Response) -> RuleOut:
    """Return a rule, with the ETag of what was chosen, if something was."""
    return _rule(response, rules.get_rule(db, rule))


@router.put("/alert-rules/{rule}", operation_id="set_alert_rule", summary="Set a rule", responses=CHANGES)
def set_alert_rule(
    _: Manage, db: TenantDb, rule: RuleName, body: RuleIn, if_match: IfMatchOrNew, response: Response
) -> RuleOut:
    """Change what a rule does. Open alerts keep their severity."""
    choice = RuleChoice(**body.model_dump())
    return _rule(response, rules.change_rule(db, rule, choice, if_match, source="api"))


@router.get(
    "/alert-rules/{rule}/preview",
    operation_id="preview_alert_rule",
    summary="Get what a rule would have raised",
    responses=responses(NotFound),
)
def preview_alert_rule(_: Manage, db: TenantDb, rule: RuleName, threshold: Threshold = None) -> RulePreviewOut:
    """Return what the rule would have raised in the last 7 days with this threshold. It changes nothing."""
    chosen = rules.get_rule(db, rule)
    seen = preview(db, chosen if threshold is None else replace(chosen, threshold=threshold))
    return RulePreviewOut.model_validate(seen)


@router.get("/alert-routes", operation_id="list_alert_routes", summary="List where alerts go")
def list_alert_routes(_: Read, db: TenantDb) -> list[RouteOut]:
    """Return the routes, whole. An alert goes to every one that matches; without any, to every channel."""
    return [_route(db, row) for row in management.list_of(db, AlertRoute)]


@router.post(
    "/alert-routes",
    operation_id="create_alert_route",
    status_code=201,
    summary="Create a route",
    responses=responses(Conflict),
)
def create_alert_route(_: Manage, db: TenantDb, body: RouteIn, response: Response) -> RouteOut:
    """Send some alerts to a channel or an escalation policy from now on."""
    row = management.add(db, AlertRoute, body.values(management.facilities_named(db, body.facilities)), source="api")
    set_location(response, f"/v1/alert-routes/{row.id}")
    set_etag(response, row.version_id)
    return _route(db, row)


@router.get(
    "/alert-routes/{route_id}", operation_id="get_alert_route", summary="Get a route", responses=responses(NotFound)
)
def get_alert_route(_: Read, db: TenantDb, route_id: UUID, response: Response) -> RouteOut:
    """Return a route, with its ETag."""
    row = management.find(db, AlertRoute, route_id)
    set_etag(response, row.version_id)
    return _route(db, row)


@router.put("/alert-routes/{route_id}", operation_id="change_alert_route", summary="Change a route", responses=CHANGES)
def change_alert_route(
    _: Manage, db: TenantDb, route_id: UUID, body: RouteIn, if_match: IfMatch, response: Response
) -> RouteOut:
    """Replace what a route says."""
    values = body.values(management.facilities_named(db, body.facilities))
    row = management.change(db, AlertRoute, route_id, values, if_match, source="api")
    set_etag(response, row.version_id)
    return _route(db, row)


@router.delete(
    "/alert-routes/{route_id}",
    operation_id="delete_alert_route",
    status_code=204,
    summary="Delete a route",
    responses=CHANGES,
)
def delete_alert_route(_: Manage, db: TenantDb, route_id: UUID, if_match: IfMatch) -> None:
    """Delete a route."""
    management.remove(db, AlertRoute, route_id, if_match, source="api")


@router.get("/alert-policies", operation_id="list_alert_policies", summary="List escalation policies")
def list_alert_policies(_: Read, db: TenantDb) -> list[PolicyOut]:
    """Return the escalation policies, whole."""
    return [PolicyOut.model_validate(row) for row in management.list_of(db, AlertPolicy)]


@router.post(
    "/alert-policies",
    operation_id="create_alert_policy",
    status_code=201,
    summary="Create an escalation policy",
    responses=responses(Conflict),
)
def create_alert_policy(_: Manage, db: TenantDb, body: PolicyIn, response: Response) -> PolicyOut:
    """Say who is notified, one after another, until somebody acknowledges an alert."""
    row = management.add(db, AlertPolicy, body.model_dump(mode="json"), source="api")
    set_location(response, f"/v1/alert-policies/{row.id}")
    set_etag(response, row.version_id)
    return PolicyOut.model_validate(row)


@router.get(
    "/alert-policies/{policy_id}",
    operation_id="get_alert_policy",
    summary="Get an escalation policy",
    responses=responses(NotFound),
)
def get_alert_policy(_: Read, db: TenantDb, policy_id: UUID, response: Response) -> PolicyOut:
    """Return an escalation policy, with its ETag."""
    row = management.find(db, AlertPolicy, policy_id)
    set_etag(response, row.version_id)
    return PolicyOut.model_validate(row)


@router.put(
    "/alert-policies/{policy_id}",
    operation_id="change_alert_policy",
    summary="Change an escalation policy",
    responses=CHANGES,
)
def change_alert_policy(
    _: Manage, db: TenantDb, policy_id: UUID, body: PolicyIn, if_match: IfMatch, response: Response
) -> PolicyOut:
    """Replace what an escalation policy says. Escalations that go on follow it from their next step."""
    row = management.change(db, AlertPolicy, policy_id, body.model_dump(mode="json"), if_match, source="api")
    set_etag(response, row.version_id)
    return PolicyOut.model_validate(row)


@router.delete(
    "/alert-policies/{policy_id}",
    operation_id="delete_alert_policy",
    status_code=204,
    summary="Delete an escalation policy",
    responses=CHANGES,
)
def delete_alert_policy(_: Manage, db: TenantDb, policy_id: UUID, if_match: IfMatch) -> None:
    """Delete an escalation policy that no route names."""
    management.remove(db, AlertPolicy, policy_id, if_match, source="api")


@router.get("/alert-silences", operation_id="list_alert_silences", summary="List silences")
def list_alert_silences(_: Read, db: TenantDb) -> list[SilenceOut]:
    """Return the silences that have not ended, whole."""
    return [_silence(db, row) for row in management.list_silences(db)]


@router.post(
    "/alert-silences",
    operation_id="create_alert_silence",
    status_code=201,
    summary="Create a silence",
    responses=responses(Conflict),
)
def create_alert_silence(_: Manage, db: TenantDb, body: SilenceIn, response: Response) -> SilenceOut:
    """Notify channels nothing of some alerts for a time. They are notified at its end of what is still open."""
    place = facility_named(db, body.facility)
    values = body.model_dump(exclude={"facility"}) | {"facility_uuid": None if place is None else place.uuid}
    row = management.add_silence(db, values, source="api")
    set_location(response, "/v1/alert-silences")
    return _silence(db, row)


@router.post(
    "/alert-silences/{silence_id}/end",
    operation_id="end_alert_silence",
    summary="End a silence now",
    responses=responses(NotFound),
)
def end_alert_silence(_: Manage, db: TenantDb, silence_id: UUID) -> SilenceOut:
    """End a silence. What waits for it is sent at once. One that has ended stays as it is."""
    return _silence(db, management.end_silence(db, silence_id, source="api"))


@router.get("/on-call", operation_id="list_on_call_rotas", summary="List on-call rotas")
def list_on_call_rotas(_: Read, db: TenantDb) -> list[RotaOut]:
    """Return the rotas, whole."""
    return [RotaOut.of(row) for row in management.list_of(db, OnCallRota)]


@router.post(
    "/on-call",
    operation_id="create_on_call_rota",
    status_code=201,
    summary="Create an on-call rota",
    responses=responses(Conflict),
)
def create_on_call_rota(_: Manage, db: TenantDb, body: RotaIn, response: Response) -> RotaOut:
    """Let people take turns. Hand-overs keep to the partner's clock through the year."""
    row = management.add(db, OnCallRota, body.values(), source="api")
    set_location(response, f"/v1/on-call/{row.id}")
    set_etag(response, row.version_id)
    return RotaOut.of(row)


@router.get("/on-call/{rota_id}", operation_id="get_on_call_rota", summary="Get a rota", responses=responses(NotFound))
def get_on_call_rota(_: Read, db: TenantDb, rota_id: UUID, response: Response) -> RotaOut:
    """Return a rota, with its ETag."""
    row = management.find(db, OnCallRota, rota_id)
    set_etag(response, row.version_id)
    return RotaOut.of(row)


@router.put("/on-call/{rota_id}", operation_id="change_on_call_rota", summary="Change a rota", responses=CHANGES)
def change_on_call_rota(
    _: Manage, db: TenantDb, rota_id: UUID, body: RotaIn, if_match: IfMatch, response: Response
) -> RotaOut:
    """Replace what a rota says. Overrides stay."""
    row = management.change(db, OnCallRota, rota_id, body.values(), if_match, source="api")
    set_etag(response, row.version_id)
    return RotaOut.of(row)


@router.delete(
    "/on-call/{rota_id}",
    operation_id="delete_on_call_rota",
    status_code=204,
    summary="Delete a rota",
    responses=CHANGES,
)
def delete_on_call_rota(_: Manage, db: TenantDb, rota_id: UUID, if_match: IfMatch) -> None:
    """Delete a rota that no policy names, with its overrides."""
    management.remove(db, OnCallRota, rota_id, if_match, source="api")


@router.get(
    "/on-call/{rota_id}/now", operation_id="get_on_call", summary="Get who is on call", responses=responses(NotFound)
)
def get_on_call(_: Read, db: TenantDb, rota_id: UUID) -> OnCallOut:
    """Return who is on call now, and until when; 404 before the first hand-over."""
    shift = on_call(db, management.find(db, OnCallRota, rota_id), now())
    if shift is None:
        detail = "nobody is on call before the first hand-over"
        raise NotFound(detail)
    return OnCallOut.of(shift)


@router.get(
    "/on-call/{rota_id}/overrides",
    operation_id="list_on_call_overrides",
    summary="List the overrides of a rota",
    responses=responses(NotFound),
)
def list_on_call_overrides(_: Read, db: TenantDb, rota_id: UUID) -> list[OnCallOverrideOut]:
    """Return the overrides that have not ended, whole."""
    management.find(db, OnCallRota, rota_id)
    return [OnCallOverrideOut.model_validate(row) for row in overrides_of(db, rota_id, now())]


@router.post(
    "/on-call/{rota_id}/overrides",
    operation_id="create_on_call_override",
    status_code=201,
    summary="Create an override",
    responses=responses(NotFound, Conflict),
)
def create_on_call_override(
    _: Manage, db: TenantDb, rota_id: UUID, body: OnCallOverrideIn, response: Response
) -> OnCallOverrideOut:
    """Put a member on call for a time, instead of the one whose shift it is."""
    row = management.add_override(db, rota_id, body.model_dump(), source="api")
    set_location(response, f"/v1/on-call/{rota_id}/overrides")
    return OnCallOverrideOut.model_validate(row)


@router.delete(
    "/on-call/{rota_id}/overrides/{override_id}",
    operation_id="delete_on_call_override",
    status_code=204,
    summary="Delete an override",
    responses=responses(NotFound),
)
def delete_on_call_override(_: Manage, db: TenantDb, rota_id: UUID, override_id: UUID) -> None:
    """Delete an override: the rotation counts again."""
    management.remove_override(db, rota_id, override_id, source="api")


def _rule(response: Response, rule: rules.Rule) -> RuleOut:
    if rule.version_id is not None:
        set_etag(response, rule.version_id)
    return RuleOut.of(rule)


def _route(db: TenantDb, row: AlertRoute) -> RouteOut:
    known = datim_ids(db, row.facilities)
    return RouteOut.of(row, sorted(known.values()))


def _silence(db: TenantDb, row: AlertSilence) -> SilenceOut:
    known = {} if row.facility_uuid is None else datim_ids(db, [row.facility_uuid])
    return SilenceOut.of(row, next(iter(known.values()), None))
