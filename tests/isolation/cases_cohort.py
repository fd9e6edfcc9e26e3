"""The cohort's routes."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

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
    return Call(params={"period": "2025Q1", "by": "facility"}, marks=[patient["facility"]])


@case("GET", "/v1/cohort/indicators/trend", kind="collection")
def trend(world: World) -> Call:
    _patient(world)
    people = world.json("GET", "/v1/cohort/indicators", params={"period": "2025Q1"})["rows"][0]["counts"]["TX_NEW"]
    return Call(params={"period": "2025Q1", "periods": 1}, marks=[f'"TX_NEW":{people},'])


@case("GET", "/v1/cohort/indicators/{indicator}/people", kind="collection")
def indicator_people(world: World) -> Call:
    patient = _patient(world)
    return Call(path={"indicator": "TX_NEW"}, params={"period": "2025Q1", "page_size": 500}, marks=[patient["id"]])


@case("GET", "/v1/cohort/status", kind="collection")
def status(world: World) -> Call:
    _patient(world)
    patients = world.json("GET", "/v1/cohort/status")["patients"]
    return Call(marks=[f'"patients":{patients},'])


@case("GET", "/v1/cohort/facilities", kind="collection")
def facilities(world: World) -> Call:
    return Call(marks=[_patient(world)["facility"]])


@case("GET", "/v1/patients/{patient_id}/status", kind="item")
def patient_status(world: World) -> Call:
    return Call(path={"patient_id": _patient(world)["id"]})


RADET_DAY = "2025-06-30"
EARLIER_RADET = "2025-03-31"


def _radet(world: World) -> str:
    """Two RADETs of the owner, of one facility of its own, whose DATIM id it gives."""
    from core.database import tenant_session
    from tenants.imports.models_snapshots import RadetSnapshot

    datim_id = f"R{uuid4().hex[:10]}"
    patient = _patient(world, datim_id)
    with tenant_session(world.tenant, actor="test:1") as session, session.cursor() as cursor:
        place = cursor.execute("SELECT uuid FROM facilities WHERE datim_id = %s", (datim_id,)).fetchone()[0]
        for day, status in ((EARLIER_RADET, "active"), (RADET_DAY, "died")):
            session.add(
                RadetSnapshot(
                    patient_uuid=UUID(patient["id"]),
                    data_date=date.fromisoformat(day),
                    facility_uuid=place,
                    source="lamisplus",
                    import_uuid=uuid4(),
                    status=status,
                )
            )
    return datim_id


@case("GET", "/v1/cohort/radets", kind="collection")
def radets(world: World) -> Call:
    _radet(world)
    return Call(marks=[RADET_DAY])


@case("GET", "/v1/cohort/radets/{data_date}/comparison", kind="item")
def radet_comparison(world: World) -> Call:
    return Call(path={"data_date": RADET_DAY}, params={"facility": _radet(world)})


@case("GET", "/v1/cohort/radets/{data_date}/disagreements", kind="item")
def radet_disagreements(world: World) -> Call:
    return Call(path={"data_date": RADET_DAY}, params={"facility": _radet(world)})


@case("GET", "/v1/cohort/radets/{data_date}/flows", kind="item")
def radet_flows(world: World) -> Call:
    return Call(path={"data_date": RADET_DAY}, params={"since": EARLIER_RADET, "facility": _radet(world)})
