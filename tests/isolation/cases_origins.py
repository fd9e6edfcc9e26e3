"""The routes of a tenant's origins."""

from uuid import uuid4

from tests.isolation.routes import Call, World, case


def _origin() -> str:
    return f"https://{uuid4().hex[:12]}.example.org"


@case("GET", "/v1/origins", kind="collection")
def get_origins(world: World) -> Call:
    origin = _origin()
    world.json("PUT", "/v1/origins", json={"origins": [origin]})
    return Call(marks=[origin])


@case("PUT", "/v1/origins", kind="own")
def put_origins(world: World) -> Call:
    return Call(json={"origins": [_origin()]}, state=lambda: world.json("GET", "/v1/origins"))
