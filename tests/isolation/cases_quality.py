"""The routes of the quality of records and of people recorded twice."""

from typing import Any
from uuid import UUID, uuid4

from tenants.quality.models import LinkageCandidate, QualityReport
from tenants.records.ids import new_uuid
from tests.isolation.routes import Call, World, case

WHY = {"reason": "registered twice"}


def _patient(world: World) -> UUID:
    datim_id = f"Q{uuid4().hex[:10]}"
    world.json("POST", "/v1/facilities", json={"datim_id": datim_id, "name": "Clinic"})
    body = {"facility": datim_id, "hospital_number": uuid4().hex[:10], "art_start_date": "2025-01-10", "sex": "F"}
    return UUID(world.json("POST", "/v1/patients", json=body)["id"])


def _pair(world: World) -> LinkageCandidate:
    first, second = sorted((_patient(world), _patient(world)))
    row = LinkageCandidate(
        uuid=new_uuid(), first_uuid=first, second_uuid=second, probability=0.97, evidence_hash=uuid4().hex,
        evidence={"agree": ["same phone"], "differ": [], "care": "unknown", "care_switches": 0},
    )  # fmt: skip
    with world.session() as session:
        session.add(row)
    return row


def _report(world: World, **of: Any) -> str:
    row = QualityReport(uuid=new_uuid(), run_uuid=new_uuid(), definitions="1", score=77, dimensions={}, **of)
    with world.session() as session:
        session.add(row)
    return str(row.uuid)


def _import(world: World) -> str:
    csv = f"id,clinic\n{uuid4().hex[:8]},Q{uuid4().hex[:8]}\n"
    mapping = (
        "source: csv:quality\ndata_date: 2024-06-30\nfiles:\n  patients: {name: patients.csv}\n"
        "records:\n  - into: patients\n    file: patients\n    patient: id\n    facility: {datim_id: clinic}\n"
    )
    files = [("files", ("patients.csv", csv.encode(), "text/csv"))]
    return str(world.json("POST", "/v1/imports", files=files, data={"mapping": mapping})["id"])


def _jobs(world: World) -> Any:
    return world.json("GET", "/v1/jobs")["total"]


def _merged(world: World) -> UUID:
    patient, canonical = _patient(world), _patient(world)
    world.json("POST", f"/v1/patients/{patient}/merge", json={**WHY, "canonical_id": str(canonical)})
    return patient


@case("GET", "/v1/quality/measures", kind="catalogue")
def measures(world: World) -> Call:
    return Call()


@case("GET", "/v1/quality/reports", kind="collection")
def reports(world: World) -> Call:
    return Call(marks=[_report(world)])


@case("POST", "/v1/quality/reports", kind="item")
def make_report(world: World) -> Call:
    return Call(json={"import_id": _import(world)}, rejected=422)


@case("GET", "/v1/quality/reports/{report_id}", kind="item")
def report(world: World) -> Call:
    return Call(path={"report_id": _report(world)})


@case("GET", "/v1/quality/imports/{import_id}", kind="item")
def report_of_import(world: World) -> Call:
    import_id = _import(world)
    _report(world, import_uuid=UUID(import_id))
    return Call(path={"import_id": import_id})


@case("GET", "/v1/quality/trend", kind="collection")
def trend(world: World) -> Call:
    import_uuid = uuid4()
    _report(world, import_uuid=import_uuid)
    return Call(params={"by": "import", "page_size": 500}, marks=[import_uuid])


@case("POST", "/v1/quality/links", kind="own")
def find_candidates(world: World) -> Call:
    return Call(state=lambda: _jobs(world))


@case("GET", "/v1/quality/candidates", kind="collection")
def candidates(world: World) -> Call:
    return Call(params={"page_size": 500}, marks=[_pair(world).uuid])


@case("GET", "/v1/quality/candidates/{candidate_id}", kind="item")
def candidate(world: World) -> Call:
    return Call(path={"candidate_id": _pair(world).uuid})


@case("POST", "/v1/quality/candidates/{candidate_id}/merge", kind="item")
def merge_candidate(world: World) -> Call:
    return Call(path={"candidate_id": _pair(world).uuid}, json=WHY)


@case("POST", "/v1/quality/candidates/{candidate_id}/refuse", kind="item")
def refuse_candidate(world: World) -> Call:
    return Call(path={"candidate_id": _pair(world).uuid}, json=WHY)


@case("POST", "/v1/quality/candidates/{candidate_id}/undo", kind="item")
def undo_candidate_decision(world: World) -> Call:
    pair = _pair(world).uuid
    world.json("POST", f"/v1/quality/candidates/{pair}/refuse", json=WHY)
    return Call(path={"candidate_id": pair}, json=WHY)


@case("GET", "/v1/patients/{patient_id}/identity", kind="item")
def identity(world: World) -> Call:
    return Call(path={"patient_id": _patient(world)})


@case("POST", "/v1/patients/{patient_id}/merge", kind="item")
def merge_patient(world: World) -> Call:
    return Call(path={"patient_id": _patient(world)}, json={**WHY, "canonical_id": str(_patient(world))})


@case("POST", "/v1/patients/{patient_id}/unmerge", kind="item")
def unmerge_patient(world: World) -> Call:
    return Call(path={"patient_id": _merged(world)}, json=WHY)
