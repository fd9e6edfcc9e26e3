"""The routes of alerts."""

from typing import Any
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from core.plugins.instance_models import PluginInstance
from tenants.alerts.models import Alert
from tests.isolation.routes import Call, World, case


def new_alert(world: World, status: str = "open", facility: UUID | None = None) -> str:
    """Return an alert of the owner, about the platform or a facility, of which nobody is notified."""
    with world.session() as session:
        row = Alert(
            stream="platform",
            alert_type="drift",
            subject=uuid4().hex,
            facility_uuid=facility,
            severity="low",
            count=1,
            dedupe_key=f"drift::{uuid4().hex}",
            created_by="test:1",
        )
        session.add(row)
        session.flush()
        alert_id = str(row.uuid)
    if status == "resolved":
        world.json("POST", f"/v1/alerts/{alert_id}/resolve")
    return alert_id


def person_id(world: World) -> str:
    """Return a colleague of the owner who acts on alerts."""
    from tests.isolation.cases_followup import _colleague

    return _colleague(world)


def _item(world: World, json: Any = None, status: str = "open") -> Call:
    return Call(path={"alert_id": new_alert(world, status)}, json=json)


@case("GET", "/v1/alerts", kind="collection")
def list_alerts(world: World) -> Call:
    return Call(marks=[new_alert(world)])


@case("GET", "/v1/alerts/{alert_id}", kind="item")
def get_alert(world: World) -> Call:
    return _item(world)


@case("GET", "/v1/alerts/{alert_id}/people", kind="item")
def list_alert_people(world: World) -> Call:
    place = world.json("POST", "/v1/facilities", json={"datim_id": uuid4().hex[:11], "name": "Of an alert"})
    return Call(path={"alert_id": new_alert(world, facility=UUID(place["id"]))})


@case("POST", "/v1/alerts/act", kind="item")
def act_on_alerts(world: World) -> Call:
    return Call(json={"act": "acknowledge", "alert_ids": [new_alert(world)]})


@case("POST", "/v1/alerts/{alert_id}/acknowledge", kind="item")
def acknowledge_alert(world: World) -> Call:
    return _item(world)


@case("POST", "/v1/alerts/{alert_id}/assign", kind="item")
def assign_alert(world: World) -> Call:
    return _item(world, {"person_id": person_id(world)})


@case("POST", "/v1/alerts/{alert_id}/snooze", kind="item")
def snooze_alert(world: World) -> Call:
    return _item(world, {"minutes": 60})


@case("POST", "/v1/alerts/{alert_id}/resolve", kind="item")
def resolve_alert(world: World) -> Call:
    return _item(world)


@case("POST", "/v1/alerts/{alert_id}/reopen", kind="item")
def reopen_alert(world: World) -> Call:
    return _item(world, status="resolved")


ANY = {"If-Match": "*"}


def new_channel(world: World) -> str:
    """Return a channel of the owner, to which no test sends."""
    with world.session() as session:
        row = PluginInstance(
            id=uuid7(),
            kind="alert-channel",
            plugin="slack",
            name=uuid4().hex,
            settings={},
            secrets_set=[],
            events=[],
            sealed_secrets="",
            sealed_token="",
            created_by="test:1",
        )
        session.add(row)
        session.flush()
        return str(row.id)


def _rule() -> dict[str, Any]:
    return {"enabled": True, "severity": "low", "threshold": 3, "repeat_hours": 24}


def _route(world: World) -> dict[str, Any]:
    return {"name": uuid4().hex, "channel_id": new_channel(world)}


def _policy(world: World) -> dict[str, Any]:
    return {"name": uuid4().hex, "steps": [{"after_minutes": 5, "channel_id": new_channel(world)}]}


def _rota(world: World) -> dict[str, Any]:
    member = {"person_id": person_id(world), "channel_id": new_channel(world)}
    return {"name": uuid4().hex, "members": [member], "first_day": "2026-01-05"}


def _silence() -> dict[str, Any]:
    return {"rule": "quota_near", "until": "2199-01-01T00:00:00Z", "reason": uuid4().hex}


_BODIES = {"alert-routes": _route, "alert-policies": _policy, "on-call": _rota}


def added(world: World, things: str) -> Any:
    """Return a new route, policy or rota of the owner; its others go first."""
    for row in world.json("GET", f"/v1/{things}"):
        world.owner.delete(f"/v1/{things}/{row['id']}", headers=ANY)
    return world.json("POST", f"/v1/{things}", json=_BODIES[things](world))


@case("GET", "/v1/alert-rules", kind="catalogue")
def list_alert_rules(world: World) -> Call:
    return Call()


@case("GET", "/v1/alert-rules/{rule}", kind="catalogue")
def get_alert_rule(world: World) -> Call:
    return Call(path={"rule": "late"})


@case("PUT", "/v1/alert-rules/{rule}", kind="own")
def set_alert_rule(world: World) -> Call:
    def state() -> Any:
        return world.json("GET", "/v1/alert-rules/drift")

    world.json("PUT", "/v1/alert-rules/drift", json=_rule(), headers=ANY)
    return Call(path={"rule": "drift"}, json=_rule(), headers=ANY, state=state)


@case("GET", "/v1/alert-rules/{rule}/preview", kind="own")
def preview_alert_rule(world: World) -> Call:
    return Call(path={"rule": "late"}, state=lambda: world.json("GET", "/v1/alert-rules/late"))


@case("GET", "/v1/alert-routes", kind="collection")
def list_alert_routes(world: World) -> Call:
    return Call(marks=[added(world, "alert-routes")["id"]])


@case("POST", "/v1/alert-routes", kind="item")
def create_alert_route(world: World) -> Call:
    added(world, "alert-routes")
    return Call(json=_route(world), rejected=422)


@case("GET", "/v1/alert-routes/{route_id}", kind="item")
def get_alert_route(world: World) -> Call:
    return Call(path={"route_id": added(world, "alert-routes")["id"]})


@case("PUT", "/v1/alert-routes/{route_id}", kind="item")
def change_alert_route(world: World) -> Call:
    return Call(path={"route_id": added(world, "alert-routes")["id"]}, json=_route(world), headers=ANY)


@case("DELETE", "/v1/alert-routes/{route_id}", kind="item")
def delete_alert_route(world: World) -> Call:
    return Call(path={"route_id": added(world, "alert-routes")["id"]}, headers=ANY)


@case("GET", "/v1/alert-policies", kind="collection")
def list_alert_policies(world: World) -> Call:
    return Call(marks=[added(world, "alert-policies")["id"]])


@case("POST", "/v1/alert-policies", kind="item")
def create_alert_policy(world: World) -> Call:
    added(world, "alert-policies")
    return Call(json=_policy(world), rejected=422)


@case("GET", "/v1/alert-policies/{policy_id}", kind="item")
def get_alert_policy(world: World) -> Call:
    return Call(path={"policy_id": added(world, "alert-policies")["id"]})


@case("PUT", "/v1/alert-policies/{policy_id}", kind="item")
def change_alert_policy(world: World) -> Call:
    return Call(path={"policy_id": added(world, "alert-policies")["id"]}, json=_policy(world), headers=ANY)


@case("DELETE", "/v1/alert-policies/{policy_id}", kind="item")
def delete_alert_policy(world: World) -> Call:
    return Call(path={"policy_id": added(world, "alert-policies")["id"]}, headers=ANY)


def _silenced(world: World) -> Any:
    return world.json("POST", "/v1/alert-silences", json=_silence())


def new_silence(world: World) -> str:
    """Return a silence of the owner."""
    return str(_silenced(world)["id"])


@case("GET", "/v1/alert-silences", kind="collection")
def list_alert_silences(world: World) -> Call:
    return Call(marks=[_silenced(world)["id"]])


@case("POST", "/v1/alert-silences", kind="own")
def create_alert_silence(world: World) -> Call:
    return Call(json=_silence(), state=lambda: world.json("GET", "/v1/alert-silences"))


@case("POST", "/v1/alert-silences/{silence_id}/end", kind="item")
def end_alert_silence(world: World) -> Call:
    return Call(path={"silence_id": _silenced(world)["id"]})


@case("GET", "/v1/on-call", kind="collection")
def list_on_call_rotas(world: World) -> Call:
    return Call(marks=[added(world, "on-call")["id"]])


@case("POST", "/v1/on-call", kind="item")
def create_on_call_rota(world: World) -> Call:
    added(world, "on-call")
    return Call(json=_rota(world), rejected=422)


@case("GET", "/v1/on-call/{rota_id}", kind="item")
def get_on_call_rota(world: World) -> Call:
    return Call(path={"rota_id": added(world, "on-call")["id"]})


@case("PUT", "/v1/on-call/{rota_id}", kind="item")
def change_on_call_rota(world: World) -> Call:
    return Call(path={"rota_id": added(world, "on-call")["id"]}, json=_rota(world), headers=ANY)


@case("DELETE", "/v1/on-call/{rota_id}", kind="item")
def delete_on_call_rota(world: World) -> Call:
    return Call(path={"rota_id": added(world, "on-call")["id"]}, headers=ANY)


@case("GET", "/v1/on-call/{rota_id}/now", kind="item")
def get_on_call(world: World) -> Call:
    return Call(path={"rota_id": added(world, "on-call")["id"]})


def _override(world: World) -> tuple[str, dict[str, Any]]:
    rota = added(world, "on-call")
    times = {"since": "2026-01-01T00:00:00Z", "until": "2199-01-01T00:00:00Z"}
    return rota["id"], {"person_id": rota["members"][0]["person_id"], **times}


@case("GET", "/v1/on-call/{rota_id}/overrides", kind="item")
def list_on_call_overrides(world: World) -> Call:
    return Call(path={"rota_id": _override(world)[0]})


@case("POST", "/v1/on-call/{rota_id}/overrides", kind="item")
def create_on_call_override(world: World) -> Call:
    rota, body = _override(world)
    return Call(path={"rota_id": rota}, json=body)


def new_override(world: World) -> tuple[str, str]:
    """Return a rota of the owner, and an override of it."""
    rota, body = _override(world)
    return rota, str(world.json("POST", f"/v1/on-call/{rota}/overrides", json=body)["id"])


@case("DELETE", "/v1/on-call/{rota_id}/overrides/{override_id}", kind="item")
def delete_on_call_override(world: World) -> Call:
    rota, override = new_override(world)
    return Call(path={"rota_id": rota, "override_id": override})
