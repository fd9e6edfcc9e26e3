"""The routes of a tenant's own roles."""

from typing import Any
from uuid import uuid4

from tests.isolation.routes import Call, World, case

FIELDS = {"meaning": "Leads the case managers", "includes": ["case_manager"], "permissions": ["jobs.read"]}


def _body() -> dict[str, Any]:
    return {"name": f"lead-{uuid4().hex[:10]}", **FIELDS}


def _role(world: World) -> Any:
    return world.json("POST", "/v1/roles", json=_body())["name"]


@case("GET", "/v1/roles", kind="collection")
def list_roles(world: World) -> Call:
    return Call(params={"page_size": 500}, marks=[_role(world)])


@case("POST", "/v1/roles", kind="own")
def create_role(world: World) -> Call:
    return Call(json=_body(), state=lambda: world.json("GET", "/v1/roles"))


@case("GET", "/v1/roles/{role_name}", kind="item")
def get_role(world: World) -> Call:
    return Call(path={"role_name": _role(world)})


@case("PUT", "/v1/roles/{role_name}", kind="item")
def change_role(world: World) -> Call:
    return Call(path={"role_name": _role(world)}, json=FIELDS, headers={"If-Match": "*"})


@case("DELETE", "/v1/roles/{role_name}", kind="item")
def delete_role(world: World) -> Call:
    return Call(path={"role_name": _role(world)}, headers={"If-Match": "*"})
