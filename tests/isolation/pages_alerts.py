"""The rows of the pages on which alerts are managed, and the things that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.isolation.cases_alerts import added, new_channel, new_override, new_silence
from tests.isolation.pages import Row

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.isolation.routes import World

ANY = {"version": "*"}
MANAGE = "alerts.manage"
ROTA = ("rota_id",)
_RULE = {"severity": "low", "threshold": "3", "repeat_hours": "24", **ANY}
_ROUTE = {"name": "Nights", "target": "channel:{channel_id}", **ANY}
_POLICY = {"name": "Leads", "minutes": "5", "target": "channel:{channel_id}", **ANY}
_ROTA = {"name": "Leads", "person": "{member_id}", "channel": "{channel_id}", "first_day": "2026-01-05", **ANY}
_HOLIDAY = {"day": "2026-12-25", "name": "Christmas"}
_TURN = {"person_id": "{member_id}", "since": "2026-01-01T00:00", "until": "2198-01-01T00:00"}
ROWS = [
    Row("GET", "/alerts/on-call", "alerts.read"),
    Row("GET", "/alerts/rules", MANAGE, confined=False),
    Row("GET", "/alerts/rules/{rule}", MANAGE, confined=False),
    Row("POST", "/alerts/rules/{rule}", MANAGE, form=_RULE, status=303, confined=False),
    Row("GET", "/alerts/silences", MANAGE, confined=False),
    Row(
        "POST",
        "/alerts/silences",
        MANAGE,
        form={"rule": "quota_near", "until": "2198-01-01T00:00", "reason": "{new_id}"},
        status=303,
        confined=False,
    ),
    Row("POST", "/alerts/silences/{silence_id}/end", MANAGE, ("silence_id",), status=303, confined=False),
    Row("GET", "/alerts/holidays", "settings.read", confined=False),
    Row("POST", "/alerts/holidays", "settings.write", form=_HOLIDAY, status=303, confined=False),
    Row("POST", "/alerts/holidays/copy", "settings.write", form={"year": "2027"}, status=303, confined=False),
    Row("POST", "/alerts/holidays/remove", "settings.write", form=_HOLIDAY, status=303, confined=False),
    *(
        row
        for thing, name, form in (
            ("routes", "route_id", _ROUTE),
            ("policies", "policy_id", _POLICY),
            ("on-call", "rota_id", _ROTA),
        )
        for row in (
            *([Row("GET", f"/alerts/{thing}", MANAGE, confined=False)] if thing != "on-call" else []),
            Row("GET", f"/alerts/{thing}/new", MANAGE, confined=False),
            Row("POST", f"/alerts/{thing}/new", MANAGE, form={"name": ""}, status=422, confined=False),
            Row("GET", f"/alerts/{thing}/{{{name}}}", MANAGE, (name,), confined=False),
            Row("POST", f"/alerts/{thing}/{{{name}}}", MANAGE, (name,), form, status=303, confined=False),
            Row("POST", f"/alerts/{thing}/{{{name}}}/remove", MANAGE, (name,), ANY, status=303, confined=False),
        )
    ),
    Row("POST", "/alerts/on-call/{rota_id}/overrides", MANAGE, ROTA, _TURN, status=303, confined=False),
    Row(
        "POST",
        "/alerts/on-call/{rota_id}/overrides/{override_id}/remove",
        MANAGE,
        ("rota_id", "override_id"),
        status=303,
        confined=False,
    ),
]


def things_of(world: World, names: Collection[str]) -> dict[str, str]:
    """Rows of what admins set up for alerts, new for each test that names one."""
    things = {"rule": "drift"}
    if "silence_id" in names:
        things["silence_id"] = new_silence(world)
    if "override_id" in names:
        things["rota_id"], things["override_id"] = new_override(world)
    elif "rota_id" in names:
        rota = added(world, "on-call")
        things |= {"rota_id": rota["id"], **rota["members"][0]}
        things["member_id"] = things.pop("person_id")
    if "route_id" in names:
        things |= {"route_id": added(world, "alert-routes")["id"], "channel_id": new_channel(world)}
    if "policy_id" in names:
        things |= {"policy_id": added(world, "alert-policies")["id"], "channel_id": new_channel(world)}
    return things
