"""The funnel: each step is a part of the one before, counted from records and attempts."""

from datetime import timedelta
from uuid import uuid4

import pytest

from core.clock import today
from core.database import tenant_session
from tests.keyed import KeyedClient
from tests.tenants.followup.scored import ZONE, scored

DAY = today(ZONE) - timedelta(days=300)
STEPS = (
    "identified",
    "contacted",
    "reached",
    "returned",
    "retained",
    "retained_due",
    "returned_unreached",
    "unsettled",
)


@pytest.fixture(scope="module")
def world(application, make_tenant):
    """Six people on a list of 300 days ago: one tried, one reached, two back, one back by herself, one left alone."""
    owner = make_tenant()
    client = KeyedClient(application, headers={"Authorization": f"Bearer {owner.api_key}"})
    people = scored(owner.ref, client, at_risk=6, to_trace=0, clinics=2, day=DAY)["at_risk"]
    assert client.post("/v1/worklists", json={"kind": "at_risk", "as_of": str(DAY)}).status_code == 201
    tried, reached, back, gone, unreached, _ = people
    for patient, outcome in ((tried, "not_reached"), (reached, "reached"), (back, "promised"), (gone, "promised")):
        body = {"id": str(uuid4()), "patient_id": patient, "outcome": outcome, "day": str(DAY + timedelta(days=2))}
        assert client.post("/v1/attempts", json=body).status_code == 201
    with tenant_session(owner.ref, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("UPDATE facilities SET complete_through = %s", (today(ZONE),))
        for patient, days in ((back, 3), (gone, 2), (unreached, 1)):
            cursor.execute(
                "UPDATE worklist_entries SET result = 'returned_in_time', result_on = %s, settled = true"
                " WHERE patient_uuid = %s",
                (DAY + timedelta(days=days), patient),
            )
        for patient, status in ((back, "active"), (gone, "iit")):
            cursor.execute("DELETE FROM status_transitions WHERE patient_uuid = %s", (patient,))
            cursor.execute(
                "INSERT INTO status_transitions VALUES (%s, 0, 'none', 'active', %s, 'new')",
                (patient, DAY - timedelta(days=100)),
            )
            if status != "active":
                cursor.execute(
                    "INSERT INTO status_transitions VALUES (%s, 1, 'active', %s, %s, 'interrupted')",
                    (patient, status, DAY + timedelta(days=100)),
                )
    return client


def funnel(client, **query):
    answer = client.get("/v1/funnel", params={"first": str(DAY), "last": str(DAY), **query})
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def counts(row):
    return tuple(row[step] for step in STEPS)


def test_each_step_counts_the_people_who_came_so_far(world):
    assert [counts(row) for row in funnel(world)] == [(6, 4, 3, 2, 1, 2, 1, 3)]


def test_the_clinics_and_the_officers_add_up_to_the_tenant(world):
    for by in ("facility", "officer"):
        rows = [counts(row) for row in funnel(world, by=by)]
        assert len(rows) == 2
        assert tuple(map(sum, zip(*rows, strict=True))) == (6, 4, 3, 2, 1, 2, 1, 3)


def test_a_period_or_kind_without_lists_counts_nobody(world):
    assert counts(funnel(world, last=str(DAY + timedelta(days=9)), first=str(DAY + timedelta(days=1)))[0])[0] == 0
    assert counts(funnel(world, kind="to_trace")[0])[0] == 0
    assert world.get("/v1/funnel", params={"first": "2026-02-01", "last": "2026-01-01"}).status_code == 422


def test_the_file_has_the_same_numbers(world):
    query = {"first": str(DAY), "last": str(DAY), "format": "csv"}
    lines = world.get("/v1/funnel", params=query).text.splitlines()
    counts = "identified,contacted,reached,returned,retained,returned_unreached,retained_due,unsettled"
    targets = "reached_target,reached_attained,returned_target,returned_attained"
    assert lines == [f"key,name,{counts},{targets}", ",,6,4,3,2,1,1,2,3,,,,"]
