"""The routes of attempts to reach patients."""

from typing import Any
from uuid import uuid4

from core.database import platform_session
from core.identity.people import members
from tests.isolation.routes import Call, World, case


def _patient(world: World) -> str:
    datim_id = f"W{uuid4().hex[:10]}"
    world.json("POST", "/v1/facilities", json={"datim_id": datim_id, "name": "Clinic"})
    body = {"facility": datim_id, "hospital_number": uuid4().hex[:10], "art_start_date": "2025-01-10", "sex": "F"}
    answer = world.owner.post("/v1/patients", json=body)
    return answer.headers["location"].rsplit("/", 1)[1]


def _body(world: World) -> dict[str, Any]:
    return {"id": str(uuid4()), "patient_id": _patient(world), "outcome": "reached", "note": "asked to call later"}


def _colleague(world: World) -> str:
    """Return a person of the owner's tenant who records attempts."""
    email = f"{uuid4().hex[:10]}@example.org"
    person = members.add_member(world.tenant, email, "Colleague", members.Grant(["case_manager"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, world.tenant.id)
    return str(person)


def _assigned(world: World) -> str:
    patient = _patient(world)
    world.json("PUT", f"/v1/assignments/{patient}", json={"person_id": _colleague(world)})
    return patient


@case("GET", "/v1/assignments/{patient_id}", kind="item")
def get_assignment(world: World) -> Call:
    return Call(path={"patient_id": _assigned(world)})


@case("GET", "/v1/assignments/{patient_id}/assignees", kind="item")
def list_assignees(world: World) -> Call:
    _colleague(world)
    return Call(path={"patient_id": _patient(world)})


@case("PUT", "/v1/assignments/{patient_id}", kind="item")
def assign_patient(world: World) -> Call:
    return Call(path={"patient_id": _patient(world)}, json={"person_id": _colleague(world)})


@case("DELETE", "/v1/assignments/{patient_id}", kind="item")
def end_assignment(world: World) -> Call:
    return Call(path={"patient_id": _assigned(world)})


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
    return Call(json=_body(world), rejected=422)


@case("GET", "/v1/attempts/{attempt_id}", kind="item")
def get_attempt(world: World) -> Call:
    return Call(path={"attempt_id": _attempt(world)["id"]})


@case("DELETE", "/v1/attempts/{attempt_id}", kind="item")
def undo_attempt(world: World) -> Call:
    return Call(path={"attempt_id": _attempt(world)["id"]})


def _planned(world: World) -> Any:
    body = {"id": str(uuid4()), "patient_id": _patient(world), "kind": "home_visit", "note": "by the market"}
    return world.json("POST", "/v1/interventions", json=body)


@case("GET", "/v1/interventions", kind="collection")
def list_interventions(world: World) -> Call:
    return Call(marks=[_planned(world)["id"]])


@case("POST", "/v1/interventions", kind="item")
def plan_intervention(world: World) -> Call:
    return Call(json={"id": str(uuid4()), "patient_id": _patient(world), "kind": "counselling"}, rejected=422)


@case("GET", "/v1/interventions/{intervention_id}", kind="item")
def get_intervention(world: World) -> Call:
    return Call(path={"intervention_id": _planned(world)["id"]})


@case("POST", "/v1/interventions/{intervention_id}/complete", kind="item")
def complete_intervention(world: World) -> Call:
    return Call(path={"intervention_id": _planned(world)["id"]}, json={"outcome": "reached"})


@case("POST", "/v1/interventions/{intervention_id}/end", kind="item")
def end_intervention(world: World) -> Call:
    return Call(path={"intervention_id": _planned(world)["id"]}, json={"state": "cancelled"})


@case("GET", "/v1/funnel", kind="catalogue")
def get_funnel(_: World) -> Call:
    return Call(params={"first": "1999-01-01", "last": "1999-12-31"})
