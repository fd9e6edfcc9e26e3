"""The routes of single sign-on."""

from typing import Any
from uuid import uuid4

from tests.isolation.routes import Call, World, case

ANY = {"If-Match": "*"}
ISSUER = "http://127.0.0.1:9"
"""Nobody listens there: a test of it ends at once."""


def _body() -> dict[str, Any]:
    return {"issuer": ISSUER, "client_id": f"client-{uuid4().hex[:10]}"}


def _set_up(world: World) -> Any:
    """Both have a provider: what one does must not show in the other's."""
    world.stranger.put("/v1/sso", json=_body(), headers=ANY)
    return world.json("PUT", "/v1/sso", json=_body(), headers=ANY)["client_id"]


def _domain(world: World) -> Any:
    domain = f"d{uuid4().hex[:12]}.example.invalid"
    return world.json("POST", "/v1/sso/domains", json={"domain": domain})["id"]


@case("GET", "/v1/sso", kind="collection")
def get_sso(world: World) -> Call:
    return Call(marks=[_set_up(world)])


@case("PUT", "/v1/sso", kind="own")
def put_sso(world: World) -> Call:
    _set_up(world)
    return Call(json=_body(), headers=ANY, state=lambda: world.json("GET", "/v1/sso")["client_id"])


@case("DELETE", "/v1/sso", kind="own")
def delete_sso(world: World) -> Call:
    _set_up(world)
    return Call(headers=ANY, state=lambda: world.json("GET", "/v1/sso")["client_id"])


@case("POST", "/v1/sso/test", kind="own")
def test_sso(world: World) -> Call:
    _set_up(world)
    return Call(json={"portal": "http://testserver"}, state=lambda: world.json("GET", "/v1/sso"))


@case("GET", "/v1/sso/domains", kind="collection")
def list_domains(world: World) -> Call:
    return Call(marks=[_domain(world)])


@case("POST", "/v1/sso/domains", kind="own")
def claim_domain(world: World) -> Call:
    body = {"domain": f"d{uuid4().hex[:12]}.example.invalid"}
    return Call(json=body, state=lambda: world.json("GET", "/v1/sso/domains")["total"])


@case("GET", "/v1/sso/domains/{domain_id}", kind="item")
def get_domain(world: World) -> Call:
    return Call(path={"domain_id": _domain(world)})


@case("POST", "/v1/sso/domains/{domain_id}/check", kind="item")
def check_domain(world: World) -> Call:
    return Call(path={"domain_id": _domain(world)})


@case("DELETE", "/v1/sso/domains/{domain_id}", kind="item")
def remove_domain(world: World) -> Call:
    return Call(path={"domain_id": _domain(world)})
