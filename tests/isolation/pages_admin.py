"""The rows of the admin's pages, and what of the owner they name."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from core.database import platform_session
from core.identity.people import members
from tests.isolation.cases_people import confirm_second_factor
from tests.isolation.cases_plugins import new_instance
from tests.isolation.cases_webhooks import new_delivery
from tests.isolation.pages import Row

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.isolation.routes import World

PERSON, KEY, ROLE, WEBHOOK = ("person_id",), ("key_id",), ("role_name",), ("webhook_id",)
PLUGIN = ("instance_id",)
ANY = {"version": "*"}
_PLUGIN = {"name": "{tag}", "set.url": "https://127.0.0.1:9/{tag}", "set.secret": "whsec_" + "x" * 32}
_GRANT = {"roles": "viewer", **ANY}
_ROLE = {"meaning": "Leads", "includes": "viewer", **ANY}

ROWS = [
    Row("GET", "/events", "events.read", confined=False),
    Row("GET", "/admin", "settings.read", confined=False),
    Row("GET", "/admin/people", "people.read", confined=False),
    Row("GET", "/admin/people/new", "people.write", confined=False),
    Row(
        "POST",
        "/admin/people/new",
        "people.write",
        form={"name": "New", "email": "{new_id}@example.org", "roles": "viewer"},
        confined=False,
    ),
    Row("GET", "/admin/people/file", "people.write", confined=False),
    Row(
        "POST",
        "/admin/people/file",
        "people.write",
        form={"content": "email,name,roles\n{tag}@example.org,New,viewer\n"},
        confined=False,
    ),
    Row("GET", "/admin/people/{person_id}", "people.read", names=PERSON, confined=False),
    Row("POST", "/admin/people/{person_id}", "people.write", names=PERSON, form=_GRANT, status=303, confined=False),
    Row("POST", "/admin/people/{person_id}/link", "people.write", names=PERSON, confined=False),
    *(
        Row("POST", f"/admin/people/{{person_id}}/{act}", "people.write", PERSON, ANY, status=303, confined=False)
        for act in ("revoke-links", "deactivate", "reactivate", "remove")
    ),
    Row(
        "POST",
        "/admin/people/{person_id}/reset-second-factor",
        "people.write",
        names=("person_id", "second_factor"),
        status=303,
        confined=False,
    ),
    Row("GET", "/admin/roles", "people.read", confined=False),
    Row("GET", "/admin/roles/new", "roles.write", confined=False),
    Row("POST", "/admin/roles/new", "roles.write", form={**_ROLE, "role_name": "r{tag}"}, status=303, confined=False),
    Row("GET", "/admin/roles/{role_name}", "people.read", names=ROLE, confined=False),
    Row("POST", "/admin/roles/{role_name}", "roles.write", names=ROLE, form=_ROLE, status=303, confined=False),
    Row("POST", "/admin/roles/{role_name}/delete", "roles.write", names=ROLE, form=ANY, status=303, confined=False),
    Row("GET", "/admin/keys", "keys.read", confined=False),
    Row("GET", "/admin/keys/new", "keys.write", confined=False),
    Row(
        "POST",
        "/admin/keys/new",
        "keys.write",
        form={"key_name": "reports", "permissions": "people.read"},
        confined=False,
    ),
    Row("POST", "/admin/keys/{key_id}/revoke", "keys.write", names=KEY, status=303, confined=False),
    Row("GET", "/admin/webhooks", "webhooks.read", confined=False),
    Row("GET", "/admin/webhooks/new", "webhooks.write", confined=False),
    Row("POST", "/admin/webhooks/new", "webhooks.write", form={"url": "https://127.0.0.1:9/{tag}"}, confined=False),
    Row("GET", "/admin/webhooks/{webhook_id}", "webhooks.read", names=WEBHOOK, confined=False),
    Row("GET", "/admin/webhooks/{webhook_id}/change", "webhooks.write", names=WEBHOOK, confined=False),
    Row(
        "POST",
        "/admin/webhooks/{webhook_id}/change",
        "webhooks.write",
        names=WEBHOOK,
        form={"url": "https://127.0.0.1:9/{tag}", **ANY},
        status=303,
        confined=False,
    ),
    Row("POST", "/admin/webhooks/{webhook_id}/rotate", "webhooks.write", names=WEBHOOK, confined=False),
    *(
        Row("POST", f"/admin/webhooks/{{webhook_id}}/{act}", "webhooks.write", WEBHOOK, form, 303, confined=False)
        for act, form in (
            ("enable", {}),
            ("disable", {}),
            ("example", {"event": "risk.scored"}),
            ("replay", {"hours": "1"}),
            ("remove", ANY),
        )
    ),
    Row(
        "POST",
        "/admin/webhooks/{webhook_id}/deliveries/{delivery_id}/resend",
        "webhooks.write",
        names=("webhook_id", "delivery_id"),
        status=303,
        confined=False,
    ),
    Row("GET", "/admin/plugins", "plugins.read", confined=False),
    Row("GET", "/admin/plugins/new/{plugin_kind}/{plugin}", "plugins.write", confined=False),
    Row(
        "POST",
        "/admin/plugins/new/{plugin_kind}/{plugin}",
        "plugins.write",
        form=_PLUGIN,
        status=303,
        confined=False,
    ),
    Row("GET", "/admin/plugins/{instance_id}", "plugins.read", names=PLUGIN, confined=False),
    Row("GET", "/admin/plugins/{instance_id}/change", "plugins.write", names=PLUGIN, confined=False),
    *(
        Row("POST", f"/admin/plugins/{{instance_id}}/{act}", "plugins.write", PLUGIN, form, status, confined=False)
        for act, form, status in (
            ("change", {**_PLUGIN, **ANY}, 303),
            ("enable", {}, 303),
            ("disable", {}, 303),
            ("test", {}, 200),
            ("address", {}, 200),
            ("rotate-address", {}, 200),
            ("remove", ANY, 303),
        )
    ),
    Row("GET", "/admin/settings", "settings.read", confined=False),
    Row("GET", "/admin/schedules", "settings.read", confined=False),
    Row(
        "POST",
        "/admin/schedules/{schedule}",
        "settings.write",
        form={"cron": "0 3 * * *", "active": "yes"},
        status=303,
        confined=False,
    ),
    Row("GET", "/admin/settings/{group}", "settings.read", confined=False),
    Row("POST", "/admin/settings/{group}", "settings.write", form=ANY, status=303, confined=False),
    Row("POST", "/admin/settings/{group}/reset", "settings.write", status=303, confined=False),
    Row("GET", "/admin/audit", "audit.read", confined=False),
    # The number of an event, which each tenant counts for itself.
    Row("GET", "/admin/audit/{event_id}", "audit.read", confined=False),
]


def things_of(world: World, names: Collection[str]) -> dict[str, str]:
    """The person, who has accepted, the key and the role of the owner that a row names; and names that are free."""
    tag = uuid4().hex[:10]
    things = {"group": "risk", "schedule": "risk.night", "tag": tag, "event_id": "1"}
    things |= {"plugin_kind": "alert-channel", "plugin": "webhook"}
    if "person_id" in names:
        body = {"email": f"{tag}@example.org", "name": f"Name {tag}", "roles": ["viewer"]}
        things["person_id"] = world.json("POST", "/v1/people", json=body)["id"]
        with platform_session() as session:
            members.accept(session, UUID(things["person_id"]), world.tenant.id)
    if "second_factor" in names:
        confirm_second_factor(UUID(things["person_id"]))
        things["second_factor"] = "set up"
    if "key_id" in names:
        things["key_id"] = world.json("POST", "/v1/keys", json={"name": tag, "permissions": ["people.read"]})["id"]
    if "webhook_id" in names:
        things["webhook_id"], ids = new_delivery(world)
        things["delivery_id"] = ids[0]
    if "instance_id" in names:
        things["instance_id"] = new_instance(world)
    if "role_name" in names:
        role = {"name": f"role-{tag}", "meaning": "Leads", "includes": ["viewer"]}
        things["role_name"] = world.json("POST", "/v1/roles", json=role)["name"]
    return things


OPERATORS = [
    Row("GET", "/operators", "operations.read"),
    Row("GET", "/operators/tenants", "operations.read"),
    Row("GET", "/operators/tenants/{slug}", "operations.read"),
    Row("GET", "/operators/jobs", "operations.read"),
    Row("GET", "/operators/connections", "operations.read"),
    Row("GET", "/operators/errors", "operations.read"),
    Row("GET", "/operators/errors/{error_id}", "operations.read"),
    Row("POST", "/operators/errors/{error_id}", "operations.write", form={"state": "ignored"}, status=303),
    Row("GET", "/operators/databases", "operations.read"),
    Row("GET", "/operators/stream", "operations.read"),
    Row("GET", "/operators/events", "operations.read"),
    Row("GET", "/operators/webhooks", "operations.read"),
    Row(
        "POST",
        "/operators/connections/force",
        "operations.write",
        form={"target": "mail_server", "state": "open"},
        status=422,
    ),
    Row("POST", "/operators/connections/release", "operations.write", form={"target": "mail_server"}, status=303),
    Row("GET", "/operators/ai-use", "operations.read"),
    Row("GET", "/operators/live", "operations.read"),
    Row("GET", "/operators/flags", "operations.read"),
    Row("GET", "/operators/flags/{flag}", "operations.read"),
    Row(
        "POST",
        "/operators/flags/{flag}",
        "operations.write",
        form={"change": "0", "state": "on", "reason": "a test"},
        status=303,
    ),
    Row("GET", "/operators/cache", "operations.read"),
    Row("POST", "/operators/cache/empty", "operations.write", form={"cache": "cohort.day_status"}, status=303),
    Row("GET", "/operators/jobs/{job_id}", "operations.read"),
    Row("POST", "/operators/tenants/{slug}/suspend", "operations.write", form={"reason": "x" * 201}, status=422),
    Row("POST", "/operators/tenants/{slug}/resume", "operations.write", status=303),
    Row("POST", "/operators/jobs/{job_id}/retry", "operations.write", status=409),
    Row("POST", "/operators/jobs/{job_id}/discard", "operations.write", form={"reason": "a new file came"}, status=409),
    Row("POST", "/operators/jobs/{job_id}/edit", "operations.write", form={"payload": "{{}}"}, status=409),
    Row(
        "POST",
        "/operators/jobs/pause",
        "operations.write",
        form={"kind": "quality.link", "reason": "x" * 201},
        status=422,
    ),
    Row(
        "POST",
        "/operators/jobs/limit",
        "operations.write",
        form={"kind": "quality.link", "at_once": "1", "reason": "x" * 201},
        status=422,
    ),
    Row("POST", "/operators/jobs/unlimit", "operations.write", form={"kind": "quality.link"}, status=404),
    Row("POST", "/operators/jobs/resume", "operations.write", form={"kind": "quality.link"}, status=404),
    Row("POST", "/operators/jobs/retry", "operations.write", form={"kind": "quality.link"}, status=303),
]
"""The pages of operators, who have no tenant; the job is not dead."""
