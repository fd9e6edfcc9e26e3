"""The routes of attempts to reach patients."""

from typing import Any
from uuid import uuid4

from tests.isolation.routes import Call, World, case


def _patient(world: World) -> str:
    datim_id = f"W{uuid4().hex[:10]}"
    world.json("POST", "/v1/facilities", json={"datim_id": datim_id, "name": "Clinic"})
    body = {"facility": datim_id, "hospital_number": uuid4().hex[:10], "art_start_date": "2025-01-10", "sex": "F"}
    answer = world.owner.post("/v1/patients", json=body)
    return answer.headers["location"].rsplit("/", 1)[1]


def _body(world: World) -> dict[str, Any]:
    return {"id": str(uuid4()), "patient_id": _patient(world), "outcome": "reached", "note": "asked to call later"}


def _attempt(world: World) -> Any:
    return world.json("POST", "/v1/attempts", json=_body(world))


@case("GET", "/v1/attempts", kind="collection")
def list_attempts(world: World) -> Call:
    return Call(marks=[_attempt(world)["id"]])


@case("GET", "/v1/attempts/outcomes", kind="catalogue")
def list_outcomes(_: World) -> Call:
    return Call()


@case("POST", "/v1/attempts", kind="item")
def record_attempt(world: World) -> Call:
    return Call(json=_body(world))


@case("GET", "/v1/attempts/{attempt_id}", kind="item")
def get_attempt(world: World) -> Call:
    return Call(path={"attempt_id": _attempt(world)["id"]})


@case("DELETE", "/v1/attempts/{attempt_id}", kind="item")
def undo_attempt(world: World) -> Call:
    return Call(path={"attempt_id": _attempt(world)["id"]})
