"""A scored day of a few people, as the scoring leaves it: what today's work is made of."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from core.clock import now, today
from core.database import tenant_session
from tenants.records.ids import new_uuid
from tenants.risk.models import Prediction, RiskModel, ScoreRun

ZONE = "Africa/Lagos"
REASON = {"theme": "lateness", "text": "12 days late at the last refill", "contribution": 0.8}


def scored(tenant, client, *, at_risk=3, to_trace=2, clinics=1, day=None):
    """Adds clinics, people and scores; gives the people of both lists: kind -> identifiers, by rank."""
    day = day or today(ZONE)
    places = [f"T{uuid4().hex[:10]}" for _ in range(clinics)]
    for number, datim_id in enumerate(places):
        client.post("/v1/facilities", json={"datim_id": datim_id, "name": f"Clinic {number}"})
    people = {"at_risk": [], "to_trace": []}
    for kind, many in (("at_risk", at_risk), ("to_trace", to_trace)):
        for number in range(many):
            people[kind].append(_patient(client, places[number % clinics], f"{kind}-{number}-{uuid4().hex[:6]}"))
    with tenant_session(tenant, actor="test:1") as session:
        model = RiskModel(
            uuid=new_uuid(), name="additive", plugin="additive", plugin_version="1", version=f"a-{uuid4().hex[:4]}",
            state="candidate", trained_at=now(), features=[], calibrator={}, metrics={}, card={}, gates={},
            trained_by="test:1", state_changed_at=now(),
        )  # fmt: skip
        session.add(model)
        session.flush()
        session.add(
            ScoreRun(
                uuid=new_uuid(),
                as_of=day,
                state="done",
                model_uuid=model.uuid,
                model_version=model.version,
                rates={},
                inputs="test",
                capacity_share=0.3,
                data_date=day,
                usual_risk=0.1,
                started_at=now(),
                finished_at=now(),
                started_by="test:1",
                at_risk=at_risk,
                to_trace=to_trace,
            )
        )
        with session.cursor() as cursor:
            rows = cursor.execute("SELECT uuid, facility_uuid FROM patients WHERE known_to IS NULL").fetchall()
        facility_of = dict(rows)
        ranks = {}
        for kind, ids in people.items():
            for number, patient in enumerate(ids):
                facility = facility_of[UUID(patient)]
                ranks[kind, facility] = ranks.get((kind, facility), 0) + 1
                session.add(_prediction(kind, number, UUID(patient), facility, day, model, ranks[kind, facility]))
    return people


def _patient(client, datim_id, number):
    body = {
        "facility": datim_id, "hospital_number": number, "sex": "F", "birthdate": "1990-05-01", "phone": "08000000412",
        "art_start_date": "2024-01-10",
    }  # fmt: skip
    return client.post("/v1/patients", json=body).headers["location"].rsplit("/", 1)[1]


def _prediction(kind, number, patient, facility, day, model, rank):
    at_risk = kind == "at_risk"
    return Prediction(
        uuid=new_uuid(), patient_uuid=patient, facility_uuid=facility, as_of=day, kind=kind,
        expected_date=day + timedelta(days=3 + number % 10) if at_risk else day - timedelta(days=10 + number),
        days_late=0 if at_risk else 10 + number, prediction_timestamp=now(), model_uuid=model.uuid,
        model_version=model.version, risk=0.5 - number / 100 if at_risk else None,
        risk_level="high" if at_risk else "late", rank=rank, within_capacity=True,
        reasons=[REASON] if at_risk else None, data_date=day,
    )  # fmt: skip
