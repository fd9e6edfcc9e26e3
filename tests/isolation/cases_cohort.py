"""The cohort's routes."""

from typing import Any
from uuid import uuid4

from tests.isolation.routes import Call, World, case


def _patient(world: World, name: str | None = None) -> Any:
    """A patient who started ART in 2025, at a facility of its own."""
    datim_id = name or f"C{uuid4().hex[:10]}"
    world.json("POST", "/v1/facilities", json={"datim_id": datim_id, "name": "Clinic"})
    body = {"facility": datim_id, "hospital_number": uuid4().hex[:10], "art_start_date": "2025-01-10", "sex": "F"}
    return world.json("POST", "/v1/patients", json=body)


@case("GET", "/v1/cohort/indicators", kind="collection")
def indicators(world: World) -> Call:
    patient = _patient(world)
    return Call(params={"period": "2025Q1", "by": "facility"}, marks=[patient["datim_id"]])


@case("GET", "/v1/cohort/status", kind="collection")
def status(world: World) -> Call:
    _patient(world)
    patients = world.json("GET", "/v1/cohort/status")["patients"]
    return Call(marks=[f'"patients":{patients},'])


@case("GET", "/v1/cohort/facilities", kind="collection")
def facilities(world: World) -> Call:
    return Call(marks=[_patient(world)["datim_id"]])


@case("GET", "/v1/cohort/settings", kind="collection")
def settings(world: World) -> Call:
    rules = {"grace_days": 77}
    world.json("PUT", "/v1/cohort/settings", json=rules, headers={"If-Match": "*"})
    return Call(marks=['"grace_days":77'])


@case("PUT", "/v1/cohort/settings", kind="collection")
def put_settings(world: World) -> Call:
    _patient(world)
    world.json("PUT", "/v1/cohort/settings", json={"grace_days": 76}, headers={"If-Match": "*"})
    return Call(json={"grace_days": 75}, headers={"If-Match": "*"}, marks=['"recomputing":true'])


@case("GET", "/v1/patients/{uuid}/status", kind="item")
def patient_status(world: World) -> Call:
    return Call(path={"uuid": _patient(world)["uuid"]})
