"""The routes of webhooks."""

from typing import Any
from uuid import uuid4

from core.database import TenantSession
from core.events.catalogue import type_of
from core.events.outbox import publish_after_commit
from core.web.etag import ANY_VERSION
from core.webhooks import service
from tests.isolation.routes import Call, World, case

ANY = {"If-Match": "*"}


def _body() -> dict[str, Any]:
    """Nobody listens there, and no test sends."""
    return {"url": f"https://127.0.0.1:9/{uuid4().hex[:10]}", "events": ["risk.scored"]}


def _webhook(world: World) -> str:
    """A new webhook; a tenant has at most 20, so the others go first."""
    with world.session() as session:
        for row in service.list_endpoints(session):
            service.remove_endpoint(session, row.id, ANY_VERSION, source="cli")
    return str(world.json("POST", "/v1/webhooks", json=_body())["id"])


def _publish(session: TenantSession) -> None:
    publish_after_commit(session, "risk.scored", subject="s", payload=type_of("risk.scored").example)


def new_delivery(world: World) -> tuple[str, list[str]]:
    """The owner's webhook, to which one more event waits, and its deliveries."""
    with world.session() as session:
        rows = service.list_endpoints(session)
        if not rows:
            rows = [service.add_endpoint(session, _body()["url"], ["risk.scored"], source="cli").endpoint]
        webhook = str(rows[-1].id)
        _publish(session)
    items = world.json("GET", f"/v1/webhooks/{webhook}/deliveries", params={"page_size": 500})["items"]
    return webhook, [row["id"] for row in items]


def _delivery(world: World) -> dict[str, object]:
    webhook, ids = new_delivery(world)
    return {"webhook_id": webhook, "delivery_id": ids[0]}


@case("GET", "/v1/webhooks", kind="collection")
def list_webhooks(world: World) -> Call:
    return Call(marks=[_webhook(world)])


@case("POST", "/v1/webhooks", kind="own")
def create_webhook(world: World) -> Call:
    _webhook(world)
    return Call(json=_body(), state=lambda: world.json("GET", "/v1/webhooks")["items"])


@case("GET", "/v1/webhooks/{webhook_id}", kind="item")
def get_webhook(world: World) -> Call:
    return Call(path={"webhook_id": _webhook(world)})


@case("PUT", "/v1/webhooks/{webhook_id}", kind="item")
def change_webhook(world: World) -> Call:
    return Call(path={"webhook_id": _webhook(world)}, json=_body(), headers=ANY)


@case("DELETE", "/v1/webhooks/{webhook_id}", kind="item")
def delete_webhook(world: World) -> Call:
    return Call(path={"webhook_id": _webhook(world)}, headers=ANY)


@case("POST", "/v1/webhooks/{webhook_id}/enable", kind="item")
def enable_webhook(world: World) -> Call:
    return Call(path={"webhook_id": _webhook(world)})


@case("POST", "/v1/webhooks/{webhook_id}/disable", kind="item")
def disable_webhook(world: World) -> Call:
    return Call(path={"webhook_id": _webhook(world)})


@case("POST", "/v1/webhooks/{webhook_id}/rotate-secret", kind="item")
def rotate_secret(world: World) -> Call:
    return Call(path={"webhook_id": _webhook(world)})


@case("POST", "/v1/webhooks/{webhook_id}/example", kind="item")
def send_example(world: World) -> Call:
    return Call(path={"webhook_id": _webhook(world)}, json={"event": "risk.scored"})


@case("POST", "/v1/webhooks/{webhook_id}/replay", kind="item")
def replay(world: World) -> Call:
    return Call(path={"webhook_id": new_delivery(world)[0]}, json={"since": "2026-01-01T00:00:00Z"})


@case("GET", "/v1/webhooks/{webhook_id}/deliveries", kind="item")
def listnew_delivery(world: World) -> Call:
    webhook, ids = new_delivery(world)
    return Call(path={"webhook_id": webhook}, marks=ids)


@case("GET", "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}", kind="item")
def get_delivery(world: World) -> Call:
    return Call(path=_delivery(world))


@case("POST", "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend", kind="item")
def resend(world: World) -> Call:
    return Call(path=_delivery(world))
