"""Models, scores, reasons and issued lists. Scored for real, by the naive rule of a tenant without a model."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

from core.clock import now, today
from tenants.risk.models import RiskModel
from tenants.risk.scoring import score
from tests.isolation.cases_records import patient
from tests.isolation.routes import Call, World, case


def day() -> date:
    """Today: what the API is told is known from now on."""
    return today("Africa/Lagos")


def person(world: World) -> str:
    """Someone on treatment whose next contact is ahead."""
    found = patient(world, art_start_date="2024-01-10", birthdate="1990-01-01")
    body = {
        "patient_uuid": found["uuid"],
        "date_started": (day() - timedelta(days=7)).isoformat(),
        "next_appointment": (day() + timedelta(days=21)).isoformat(),
        "visit_type": "clinical",
    }
    world.json("POST", "/v1/visits", json=body)
    with world.session() as session:  # a facility whose records end too early is on no list
        session.cursor().execute(
            "UPDATE facilities SET complete_through = %s WHERE uuid = %s", (day(), found["facility_uuid"])
        )
    return str(found["uuid"])


def scored(world: World) -> str:
    """Such a person, scored."""
    found = person(world)
    score(world.tenant, world.session, day())
    return found


def order(**more: Any) -> dict[str, Any]:
    return {"kind": "at_risk", "as_of": day().isoformat(), "capacity": 100, **more}


def worklist(world: World) -> tuple[str, str]:
    """An issued list, and one who is on it."""
    found = scored(world)
    return str(world.json("POST", "/v1/worklists", json=order())["uuid"]), found


def model(world: World) -> UUID:
    uuid = uuid4()
    with world.session() as session:
        session.add(
            RiskModel(
                uuid=uuid,
                name="additive",
                plugin="additive",
                plugin_version="1",
                version=f"additive-{uuid.hex}",
                state="candidate",
                trained_at=now(),
                features=[],
                calibrator={},
                metrics={},
                card={},
                gates={},
                trained_by="test:1",
                state_changed_at=now(),
            )
        )
    return uuid


def jobs_of(world: World) -> object:
    return world.json("GET", "/v1/jobs")["total"]


@case("POST", "/v1/risk/models", kind="own")
def train_models(world: World) -> Call:
    return Call(state=lambda: jobs_of(world))


@case("GET", "/v1/risk/models", kind="collection")
def list_models(world: World) -> Call:
    return Call(marks=[model(world)])


@case("GET", "/v1/risk/models/{uuid}", kind="item")
def get_model(world: World) -> Call:
    return Call(path={"uuid": model(world)})


@case("POST", "/v1/risk/scores", kind="own")
def score_patients(world: World) -> Call:
    return Call(json={"as_of": day().isoformat()}, state=lambda: jobs_of(world))


@case("GET", "/v1/risk/predictions", kind="collection")
def list_predictions(world: World) -> Call:
    found = scored(world)
    return Call(params={"patient": found}, marks=[found])


@case("GET", "/v1/patients/{uuid}/risk", kind="item")
def get_patient_risk(world: World) -> Call:
    return Call(path={"uuid": person(world)}, params={"as_of": day().isoformat()})


@case("POST", "/v1/worklists", kind="item")
def issue_worklist(world: World) -> Call:
    """For one facility: naming another tenant's is naming none."""
    found = world.json("GET", f"/v1/patients/{scored(world)}")
    return Call(json=order(facility=found["datim_id"]), refused=422)


@case("GET", "/v1/worklists", kind="collection")
def list_worklists(world: World) -> Call:
    return Call(marks=[worklist(world)[0]])


@case("GET", "/v1/worklists/{uuid}", kind="item")
def get_worklist(world: World) -> Call:
    uuid, found = worklist(world)
    return Call(path={"uuid": uuid}, marks=[found])


@case("GET", "/v1/worklists/{uuid}/csv", kind="item")
def get_worklist_csv(world: World) -> Call:
    uuid, found = worklist(world)
    return Call(path={"uuid": uuid}, marks=[found])
