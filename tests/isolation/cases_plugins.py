"""The routes of plugins."""

from typing import Any
from uuid import uuid4

from core.plugins import instances
from core.web.etag import ANY_VERSION
from tests.isolation.routes import Call, World, case

ANY = {"If-Match": "*"}
PATH = "/v1/plugin-instances"


def _body() -> dict[str, Any]:
    """Nobody listens there."""
    settings = {"url": "https://127.0.0.1:9/hooks", "secret": "whsec_" + "x" * 32}
    return {"kind": "alert-channel", "plugin": "webhook", "name": f"n{uuid4().hex[:10]}", "settings": settings}


def _change() -> dict[str, Any]:
    return {name: value for name, value in _body().items() if name not in {"kind", "plugin"}}


def new_instance(world: World) -> str:
    """A new instance; a tenant has at most 100, so the others go first."""
    with world.session() as session:
        for row in instances.list_instances(session):
            instances.remove_instance(session, row.id, ANY_VERSION, source="cli")
    return str(world.json("POST", PATH, json=_body())["id"])


@case("GET", "/v1/plugins", kind="catalogue")
def list_plugins(_: World) -> Call:
    return Call()


@case("GET", PATH, kind="collection")
def list_instances(world: World) -> Call:
    return Call(marks=[new_instance(world)])


@case("POST", PATH, kind="own")
def create_instance(world: World) -> Call:
    new_instance(world)
    return Call(json=_body(), state=lambda: world.json("GET", PATH)["items"])


@case("GET", PATH + "/{instance_id}", kind="item")
def get_instance(world: World) -> Call:
    return Call(path={"instance_id": new_instance(world)})


@case("PUT", PATH + "/{instance_id}", kind="item")
def change_instance(world: World) -> Call:
    return Call(path={"instance_id": new_instance(world)}, json=_change(), headers=ANY)


@case("DELETE", PATH + "/{instance_id}", kind="item")
def delete_instance(world: World) -> Call:
    return Call(path={"instance_id": new_instance(world)}, headers=ANY)


@case("POST", PATH + "/{instance_id}/address", kind="item")
def get_address(world: World) -> Call:
    return Call(path={"instance_id": new_instance(world)})


@case("POST", PATH + "/{instance_id}/rotate-address", kind="item")
def rotate_address(world: World) -> Call:
    return Call(path={"instance_id": new_instance(world)})


@case("POST", PATH + "/{instance_id}/test", kind="item")
def test_instance(world: World) -> Call:
    return Call(path={"instance_id": new_instance(world)})


@case("GET", PATH + "/{instance_id}/failures", kind="item")
def list_failures(world: World) -> Call:
    return Call(path={"instance_id": new_instance(world)})
