"""Status, indicators, completeness and rules."""

from tests.isolation.cases_records import facility, patient, visit_body
from tests.isolation.routes import Call, World, case


@case("GET", "/v1/cohort/indicators", kind="collection")
def get_indicators(world: World) -> Call:
    made = world.json("POST", "/v1/visits", json=visit_body(world))
    person = world.json("GET", f"/v1/patients/{made['patient_uuid']}")
    return Call(params={"period": "2026Q1", "by": "facility"}, marks=[person["datim_id"]])


@case("GET", "/v1/cohort/status", kind="own")
def get_cohort_status(world: World) -> Call:
    world.json("POST", "/v1/visits", json=visit_body(world))
    return Call(params={"as_of": "2026-02-04"}, state=lambda: world.json("GET", "/v1/cohort/status"))


@case("GET", "/v1/cohort/facilities", kind="collection")
def list_facility_completeness(world: World) -> Call:
    return Call(marks=[facility(world)["uuid"]])


def _grace(world: World, days: int) -> dict[str, object]:
    rules = world.json("GET", "/v1/cohort/settings")
    return {**rules, "grace_days": days}


@case("GET", "/v1/cohort/settings", kind="collection")
def get_cohort_settings(world: World) -> Call:
    world.json("PUT", "/v1/cohort/settings", json=_grace(world, 27), headers={"If-Match": "*"})
    return Call(marks=['"grace_days":27'])


@case("PUT", "/v1/cohort/settings", kind="own")
def put_cohort_settings(world: World) -> Call:
    return Call(
        json=_grace(world, 26), headers={"If-Match": "*"}, state=lambda: world.json("GET", "/v1/cohort/settings")
    )


@case("GET", "/v1/patients/{uuid}/status", kind="item")
def get_patient_status(world: World) -> Call:
    return Call(path={"uuid": patient(world)["uuid"]})
