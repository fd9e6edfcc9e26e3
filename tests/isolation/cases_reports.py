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


def _file(world: World) -> Any:
    """A report that is asked for."""
    return world.json("POST", "/v1/reports/files", json={"kind": "mer", "format": "csv", "period": "2025Q1"})


def _schedule(world: World) -> Any:
    return world.json("POST", "/v1/reports/schedules", json=SCHEDULE)


SCHEDULE = {"kind": "mer", "format": "csv", "every": "month", "on_day": 5, "at_hour": 6}


@case("POST", "/v1/reports/files", kind="item")
def request_report(world: World) -> Call:
    facility = _patient(world)["facility"]
    body = {"kind": "mer", "format": "csv", "period": "2025Q1", "facility": facility}
    return Call(json=body, rejected=422)


@case("GET", "/v1/reports/files", kind="collection")
def list_reports(world: World) -> Call:
    return Call(marks=[_file(world)["id"]])


@case("GET", "/v1/reports/files/{report_id}", kind="item")
def get_report(world: World) -> Call:
    return Call(path={"report_id": _file(world)["id"]})


@case("GET", "/v1/reports/files/{report_id}/content", kind="item")
def download_report(world: World) -> Call:
    from core.database import owner_connection
    from core.jobs.worker import drain

    with owner_connection(world.tenant.database) as connection:  # only the job of this report runs now
        later = "UPDATE node.jobs SET run_after = now() + interval '1 day' WHERE tenant_role = %s AND state = 'queued'"
        connection.execute(later, (world.tenant.role_name,))
    report = _file(world)
    drain(world.tenant)
    return Call(path={"report_id": report["id"]})


@case("DELETE", "/v1/reports/files/{report_id}", kind="item")
def delete_report(world: World) -> Call:
    return Call(path={"report_id": _file(world)["id"]})


@case("POST", "/v1/reports/schedules", kind="item")
def create_schedule(world: World) -> Call:
    facility = _patient(world)["facility"]
    return Call(json={**SCHEDULE, "facility": facility}, rejected=422)


@case("GET", "/v1/reports/schedules", kind="collection")
def list_schedules(world: World) -> Call:
    return Call(marks=[_schedule(world)["id"]])


@case("GET", "/v1/reports/schedules/{schedule_id}", kind="item")
def get_schedule(world: World) -> Call:
    return Call(path={"schedule_id": _schedule(world)["id"]})


@case("DELETE", "/v1/reports/schedules/{schedule_id}", kind="item")
def delete_schedule(world: World) -> Call:
    return Call(path={"schedule_id": _schedule(world)["id"]})
