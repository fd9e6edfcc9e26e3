"""The kernel's own routes."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from core import audit, metering
from core.identity.keys import CreatedKey, create_key, list_keys
from core.jobs import JobContext, enqueue, job
from tests.isolation.routes import Call, World, case
from tests.ledger import roll_up


@job("isolation.nothing")
def nothing(ctx: JobContext, payload: dict[str, Any]) -> None:
    """A job that is asked for and never due."""


def _job(world: World) -> UUID:
    with world.session() as session:
        return enqueue(session, "isolation.nothing", {}, run_after=datetime(2999, 1, 1, tzinfo=UTC))


@case("GET", "/v1/audit", kind="collection")
def list_audit_events(world: World) -> Call:
    subject = uuid4()
    with world.session() as session:
        audit.record(session, "api:audit:read", "patient", subject)
    return Call(marks=[subject])


@case("GET", "/v1/jobs", kind="collection")
def list_jobs(world: World) -> Call:
    return Call(marks=[_job(world)])


@case("GET", "/v1/jobs/{job_id}", kind="item")
def get_job(world: World) -> Call:
    return Call(path={"job_id": _job(world)})


@case("POST", "/v1/jobs/{job_id}/cancel", kind="item")
def cancel_job(world: World) -> Call:
    job_id = _job(world)
    return Call(path={"job_id": job_id}, state=lambda: world.json("GET", f"/v1/jobs/{job_id}"))


ANY = {"If-Match": "*"}


def _reasons(world: World, reasons: int) -> list[str]:
    """The owner's own number of reasons, and how answers show it."""
    world.json("PUT", "/v1/settings/risk", json={"reasons": reasons}, headers=ANY)
    return [f'"reasons":{reasons}']


def _use(world: World, meter: str, key: str) -> str:
    with world.session() as session:
        metering.record(session, meter, 87_654_321_000, key=key)
    return key


@case("GET", "/v1/usage", kind="collection")
def get_usage(world: World) -> Call:
    _use(world, "plugin_requests", "isolation")
    roll_up()
    return Call(marks=["87654321"], params={"meter": "plugin_requests"})


@case("GET", "/v1/usage/events", kind="collection")
def list_usage_events(world: World) -> Call:
    return Call(marks=[_use(world, "imports", uuid4().hex)], params={"meter": "imports"})


@case("GET", "/v1/schedules", kind="collection")
def list_schedules(world: World) -> Call:
    world.json("PUT", "/v1/schedules/risk.night", json={"cron": "17 4 * * *"}, headers=ANY)
    return Call(marks=["17 4 * * *"])


@case("GET", "/v1/schedules/{name}", kind="collection")
def get_schedule(world: World) -> Call:
    world.json("PUT", "/v1/schedules/risk.night", json={"cron": "19 4 * * *"}, headers=ANY)
    return Call(path={"name": "risk.night"}, marks=["19 4 * * *"])


@case("PUT", "/v1/schedules/{name}", kind="own")
def put_schedule(world: World) -> Call:
    return Call(
        path={"name": "risk.night"},
        json={"cron": "18 4 * * *"},
        headers=ANY,
        state=lambda: world.json("GET", "/v1/schedules"),
    )


@case("GET", "/v1/settings", kind="collection")
def list_settings(world: World) -> Call:
    return Call(marks=_reasons(world, 7))


@case("GET", "/v1/settings/{group}", kind="collection")
def get_settings_group(world: World) -> Call:
    return Call(path={"group": "risk"}, marks=_reasons(world, 8))


@case("PUT", "/v1/settings/{group}", kind="own")
def put_settings_group(world: World) -> Call:
    return _change(world)


@case("PATCH", "/v1/settings/{group}", kind="own")
def patch_settings_group(world: World) -> Call:
    return _change(world)


def _change(world: World) -> Call:
    _reasons(world, 9)
    return Call(
        path={"group": "risk"}, json={"reasons": 2}, headers=ANY, state=lambda: world.json("GET", "/v1/settings/risk")
    )


def _key(world: World) -> CreatedKey:
    return create_key(world.tenant, name="office")


@case("GET", "/v1/me", kind="collection")
def get_me(world: World) -> Call:
    return Call(marks=[world.tenant.id, world.tenant.slug])


@case("GET", "/v1/keys", kind="collection")
def list_api_keys(world: World) -> Call:
    return Call(marks=[_key(world).id])


@case("POST", "/v1/keys", kind="own")
def create_api_key(world: World) -> Call:
    return Call(json={"name": "office"}, state=lambda: {key.id for key in list_keys(world.tenant)})


@case("GET", "/v1/keys/{key_id}", kind="item")
def get_api_key(world: World) -> Call:
    return Call(path={"key_id": _key(world).id})


@case("DELETE", "/v1/keys/{key_id}", kind="item")
def revoke_api_key(world: World) -> Call:
    return Call(path={"key_id": _key(world).id})
