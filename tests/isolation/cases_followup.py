"""The routes of attempts to reach patients."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

from core.database import platform_session
from core.identity.people import members
from tenants.followup.proposals import propose
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


def _away(world: World) -> Any:
    body = {"first": "2190-01-01", "last": "2190-01-02"}
    return world.json("POST", f"/v1/officers/{_colleague(world)}/absences", json=body)


@case("GET", "/v1/officers", kind="collection")
def list_officers(world: World) -> Call:
    return Call(marks=[_colleague(world)])


@case("PUT", "/v1/officers/{person_id}/capacity", kind="item")
def set_capacity(world: World) -> Call:
    datim_id = f"W{uuid4().hex[:10]}"
    world.json("POST", "/v1/facilities", json={"datim_id": datim_id, "name": "Clinic"})
    return Call(path={"person_id": _colleague(world)}, json={"facility": datim_id, "people": 9})


@case("POST", "/v1/officers/{person_id}/absences", kind="item")
def add_absence(world: World) -> Call:
    return Call(path={"person_id": _colleague(world)}, json={"first": "2190-01-01", "last": "2190-01-02"})


@case("DELETE", "/v1/officers/absences/{absence_id}", kind="item")
def remove_absence(world: World) -> Call:
    return Call(path={"absence_id": _away(world)["id"]})


@case("POST", "/v1/officers/share-out", kind="own")
def share_out_lists(world: World) -> Call:
    return Call(state=lambda: world.json("GET", "/v1/officers"))


def _proposed(world: World) -> Any:
    """Return a proposal of another person, so that the owner may decide it."""
    patient = UUID(_patient(world))
    with world.session() as session:
        return str(propose(session, patient, "died", date(2025, 2, 3)).uuid)


@case("GET", "/v1/status-proposals", kind="collection")
def list_status_proposals(world: World) -> Call:
    return Call(marks=[_proposed(world)])


@case("POST", "/v1/status-proposals", kind="item")
def propose_status(world: World) -> Call:
    body = {"patient_id": _patient(world), "state": "transferred_out", "happened_on": "2025-02-03"}
    return Call(json=body, rejected=422)


@case("POST", "/v1/status-proposals/{proposal_id}/verify", kind="item")
def verify_status(world: World) -> Call:
    return Call(path={"proposal_id": _proposed(world)}, json={"happened_on": "2025-02-02"})


@case("POST", "/v1/status-proposals/{proposal_id}/reject", kind="item")
def reject_status(world: World) -> Call:
    return Call(path={"proposal_id": _proposed(world)})


@case("GET", "/v1/effect", kind="catalogue")
def get_effect(_: World) -> Call:
    return Call(params={"first": "1999-01-01", "last": "1999-12-31"})


def _target(world: World) -> dict[str, Any]:
    datim_id = f"W{uuid4().hex[:10]}"
    world.json("POST", "/v1/facilities", json={"datim_id": datim_id, "name": "Clinic"})
    return {"facility": datim_id, "month": "2026-02-01", "reached": 0.8, "returned": 0.6}


@case("GET", "/v1/facility-targets", kind="collection")
def list_facility_targets(world: World) -> Call:
    target = _target(world)
    world.json("PUT", "/v1/facility-targets", json=target)
    return Call(marks=[target["facility"]])


@case("PUT", "/v1/facility-targets", kind="item")
def set_facility_target(world: World) -> Call:
    return Call(json=_target(world), rejected=422)


@case("POST", "/v1/facility-targets/file", kind="item")
def set_facility_targets(world: World) -> Call:
    return Call(
        json={"csv": f"facility,month,reached,returned\n{_target(world)['facility']},2026-02,80%,\n"}, rejected=422
    )
