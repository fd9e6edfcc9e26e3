"""The routes of reports."""

from typing import Any
from uuid import uuid4

from tests.isolation.routes import Call, World, case


def _patient(world: World) -> Any:
    datim_id = f"X{uuid4().hex[:10]}"
    world.json("POST", "/v1/facilities", json={"datim_id": datim_id, "name": "Clinic"})
    body = {"facility": datim_id, "hospital_number": uuid4().hex[:10], "art_start_date": "2025-01-10", "sex": "F"}
    return world.json("POST", "/v1/patients", json=body)


@case("GET", "/v1/reports/line-list", kind="collection")
def line_list(world: World) -> Call:
    patient = _patient(world)
    return Call(params={"identifiers": "true"}, marks=[patient["id"], patient["hospital_number"]])


@case("GET", "/v1/reports/radet", kind="collection")
def radet(world: World) -> Call:
    patient = _patient(world)
    return Call(params={"format": "csv"}, marks=[patient["id"], patient["hospital_number"]])


@case("GET", "/v1/reports/indicators", kind="collection")
def indicators(world: World) -> Call:
    return Call(params={"period": "2025Q1", "by": "facility"}, marks=[_patient(world)["facility"]])


@case("POST", "/v1/reports/data-value-sets", kind="collection")
def data_value_set(world: World) -> Call:
    datim_id = _patient(world)["facility"]
    mapping = {"elements": [{"indicator": "TX_NEW", "dataElement": "new00000001"}]}
    return Call(json={"period": "2025Q1", "mapping": mapping}, marks=[datim_id])
