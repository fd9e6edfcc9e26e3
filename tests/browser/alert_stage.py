"""What the pictures of alerts need beyond a demo: channels, a route, a policy, a silence, and turns on call."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from uuid_utils.compat import uuid7

from core.clock import now, today
from core.database import tenant_session
from core.plugins.instance_models import PluginInstance
from tenants.alerts.holidays import add_holiday

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from core.database import TenantRef

ACTOR = "test:1"


def prepare_alerts(api: httpx.Client, tenant: TenantRef, people: Sequence[UUID]) -> dict[str, str]:
    """Set up what admins set up for alerts, one time, and return what the addresses name."""
    there = {
        name: api.get(f"/v1/{path}").json()
        for name, path in (("rota_id", "on-call"), ("policy_id", "alert-policies"), ("route_id", "alert-routes"))
    }
    if all(there.values()):
        return {"rule": "iit", **{name: items[0]["id"] for name, items in there.items()}}
    slack, sms = add_channel(tenant, "Slack, #clinic-leads"), add_channel(tenant, "SMS to the leads of the clinics")
    members = [{"person_id": str(person), "channel_id": sms} for person in people]
    first_day = (today(tenant.time_zone) - timedelta(days=9)).isoformat()
    rota = _id(api, "on-call", name="Clinic leads", members=members, first_day=first_day, shift_days=3)
    turn = {"since": now() + timedelta(hours=20), "until": now() + timedelta(hours=30)}
    times = {name: moment.isoformat() for name, moment in turn.items()}
    _id(api, f"on-call/{rota}/overrides", person_id=str(people[-1]), **times)
    steps = [{"after_minutes": 0, "rota_id": rota}, {"after_minutes": 15, "channel_id": slack}]
    policy = _id(api, "alert-policies", name="Leads, then everybody", steps=steps, repeats=1)
    _id(api, "alert-routes", name="All day", channel_id=slack, severity="medium")
    nights = {"from_time": "18:00", "until_time": "07:00", "severity": "high", "stream": "clinical"}
    route = _id(
        api, "alert-routes", name="Nights of the working week", policy_id=policy, days=[1, 2, 3, 4, 5], **nights
    )
    year = today(tenant.time_zone).year
    with tenant_session(tenant, actor=ACTOR) as session:
        for month, day, name in (
            (1, 1, "New Year"),
            (4, 3, "Good Friday"),
            (5, 1, "Workers' Day"),
            (12, 25, "Christmas"),
        ):
            for each in (year - 1, year):
                add_holiday(session, date(each, month, day), name)
    until = (now() + timedelta(hours=12)).isoformat()
    _id(api, "alert-silences", rule="quota_near", until=until, reason="The quota grows next week")
    return {"rule": "iit", "rota_id": rota, "policy_id": policy, "route_id": route}


def add_channel(tenant: TenantRef, name: str) -> str:
    """A channel to which nothing is sent, as no worker runs."""
    with tenant_session(tenant, actor=ACTOR) as session:
        row = PluginInstance(
            id=uuid7(), kind="alert-channel", plugin="slack", name=name, settings={}, secrets_set=[], events=[],
            sealed_secrets="", sealed_token="", created_by=ACTOR,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return str(row.id)


def _id(api: httpx.Client, path: str, **body: Any) -> str:
    answer = api.post(f"/v1/{path}", json=body)
    assert answer.is_success, answer.text
    return str(answer.json()["id"])
