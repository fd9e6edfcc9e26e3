"""Facilities, patients, and the events of their care."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

from tenants.records.models import Appointment, Dispensation
from tenants.records.repository import find_facility
from tests.isolation.routes import Call, World, case

ANY = {"If-Match": "*"}
VOID = {"reason": "entered_twice"}


def facility(world: World) -> dict[str, Any]:
    return world.json("POST", "/v1/facilities", json={"datim_id": uuid4().hex[:11], "name": f"Clinic {uuid4().hex}"})


def patient(world: World, **facts: Any) -> dict[str, Any]:
    body = {"facility": facility(world)["datim_id"], "pepfar_id": f"P-{uuid4().hex}", "sex": "F", **facts}
    return world.json("POST", "/v1/patients", json=body)


def visit_body(world: World) -> dict[str, Any]:
    return {"patient_id": patient(world)["id"], "date_started": "2026-02-03", "visit_type": "clinical"}


def encounter_body(world: World) -> dict[str, Any]:
    return {"patient_id": patient(world)["id"], "encounter_datetime": "2026-02-03T09:30:00+01:00"}


def observation_body(world: World) -> dict[str, Any]:
    return {
        "patient_id": patient(world)["id"],
        "obs_datetime": "2026-02-03T09:30:00+01:00",
        "variable_name": "viral_load",
        "value_numeric": 40,
    }


@case("GET", "/v1/facilities", kind="collection")
def list_facilities(world: World) -> Call:
    added = facility(world)
    return Call(params={"name": added["name"]}, marks=[added["id"], added["datim_id"]])


@case("POST", "/v1/facilities", kind="own")
def create_facility(world: World) -> Call:
    """The same DATIM id is free for each tenant: a conflict would tell that another has it."""
    return Call(
        json={"datim_id": uuid4().hex[:11], "name": "Clinic"},
        state=lambda: world.json("GET", "/v1/facilities")["total"],
    )


@case("GET", "/v1/facilities/{facility_id}", kind="item")
def read_facility(world: World) -> Call:
    return Call(path={"facility_id": facility(world)["id"]})


@case("PUT", "/v1/facilities/{facility_id}", kind="item")
def change_facility(world: World) -> Call:
    return Call(path={"facility_id": facility(world)["id"]}, json={"name": "Another name"}, headers=ANY)


@case("GET", "/v1/records/statistics", kind="collection")
def read_record_statistics(world: World) -> Call:
    return Call(marks=[patient(world)["facility"]])


@case("GET", "/v1/patients", kind="collection")
def list_patients(world: World) -> Call:
    return Call(params={"page_size": 500}, marks=[patient(world)["id"]])


@case("POST", "/v1/patients/search", kind="collection")
def search_patients(world: World) -> Call:
    """The blind index of another tenant finds nothing."""
    person = patient(world)
    return Call(json={"pepfar_id": person["pepfar_id"]}, marks=[person["id"]])


@case("GET", "/v1/patients/export", kind="collection")
def export_patients(world: World) -> Call:
    added = patient(world)
    return Call(marks=[added["id"], added["pepfar_id"]])


@case("POST", "/v1/patients", kind="item")
def create_patient(world: World) -> Call:
    return Call(json={"facility": facility(world)["datim_id"], "pepfar_id": uuid4().hex}, rejected=422)


@case("GET", "/v1/patients/{patient_id}", kind="item")
def read_patient(world: World) -> Call:
    return Call(path={"patient_id": patient(world)["id"]})


@case("PATCH", "/v1/patients/{patient_id}", kind="item")
def change_patient(world: World) -> Call:
    return Call(path={"patient_id": patient(world)["id"]}, json={"sex": "M"}, headers=ANY)


@case("DELETE", "/v1/patients/{patient_id}", kind="item")
def void_patient(world: World) -> Call:
    return Call(path={"patient_id": patient(world)["id"]}, params=VOID, headers=ANY)


@case("GET", "/v1/patients/{patient_id}/timeline", kind="item")
def read_patient_timeline(world: World) -> Call:
    return Call(path={"patient_id": patient(world)["id"]})


@case("GET", "/v1/patients/{patient_id}/versions", kind="item")
def read_patient_versions(world: World) -> Call:
    return Call(path={"patient_id": patient(world)["id"]})


def event_cases(name: str, parameter: str, body: Callable[[World], dict[str, Any]], change: dict[str, Any]) -> None:
    """The six routes that visits, encounters and observations have alike."""
    path = f"/v1/{name}"

    def add(world: World) -> dict[str, Any]:
        return world.json("POST", path, json=body(world))

    def marks(world: World) -> list[str]:
        event = add(world)
        return [event["id"], event["patient_id"]]

    def item(world: World) -> dict[str, str]:
        return {parameter: add(world)["id"]}

    one = f"{path}/{{{parameter}}}"
    case("GET", path, kind="collection")(lambda world: Call(marks=marks(world)))
    case("GET", f"{path}/export", kind="collection")(lambda world: Call(marks=marks(world)))
    case("POST", path, kind="item")(lambda world: Call(json=body(world), rejected=422))
    case("GET", one, kind="item")(lambda world: Call(path=item(world)))
    case("PATCH", one, kind="item")(lambda world: Call(path=item(world), json=change, headers=ANY))
    case("DELETE", one, kind="item")(lambda world: Call(path=item(world), params=VOID, headers=ANY))


event_cases("visits", "visit_id", visit_body, {"visit_type": "pharmacy"})
event_cases("encounters", "encounter_id", encounter_body, {"form": "follow-up"})
event_cases("observations", "observation_id", observation_body, {"value_numeric": 50})


def _imported(world: World, table: type[Dispensation] | type[Appointment], **facts: Any) -> UUID:
    """A row of a table that only imports write."""
    person, row = patient(world), uuid4()
    with world.session() as session:
        session.add(
            table(
                uuid=row,
                patient_uuid=UUID(person["id"]),
                facility_uuid=find_facility(session, person["facility"]).uuid,
                source="csv:test",
                source_key=row.bytes,
                known_from=datetime(2026, 2, 3, tzinfo=UTC),
                known_assumed=False,
                data_date=date(2026, 2, 3),
                row_hash=row.bytes,
                changed_by="test:1",
                **facts,
            )
        )
    return row


@case("GET", "/v1/dispensations", kind="collection")
def list_dispensations(world: World) -> Call:
    return Call(marks=[_imported(world, Dispensation, date_dispensed=date(2026, 2, 3))])


@case("GET", "/v1/appointments", kind="collection")
def list_appointments(world: World) -> Call:
    facts = {"booked_on": date(2026, 2, 3), "due_date": date(2026, 3, 3), "status": "scheduled"}
    return Call(marks=[_imported(world, Appointment, **facts)])


@case("GET", "/v1/contacts", kind="collection")
def list_contacts(world: World) -> Call:
    """A visit makes the contact."""
    added = world.json("POST", "/v1/visits", json=visit_body(world))
    return Call(marks=[added["patient_id"]])
