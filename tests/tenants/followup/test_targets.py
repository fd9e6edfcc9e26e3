"""Targets of facilities: in force from a month on, counted against the people on lists, set one by one or by file."""

from datetime import timedelta
from uuid import uuid4

import pytest

from core.clock import today
from core.database import tenant_session
from tests.keyed import KeyedClient
from tests.tenants.followup.scored import ZONE, scored

DAY = today(ZONE) - timedelta(days=40)
MONTH = DAY.replace(day=1)


@pytest.fixture(scope="module")
def partner(application, make_tenant):
    """A tenant with a list of eight people of two clinics, of whom three were reached and one is back."""
    owner = make_tenant()
    client = KeyedClient(application, headers={"Authorization": f"Bearer {owner.api_key}"})
    people = scored(owner.ref, client, at_risk=8, to_trace=0, clinics=2, day=DAY)["at_risk"]
    client.post("/v1/worklists", json={"kind": "at_risk", "as_of": str(DAY)})
    for patient in people[:3]:
        body = {"id": str(uuid4()), "patient_id": patient, "outcome": "reached", "day": str(DAY)}
        assert client.post("/v1/attempts", json=body).status_code == 201
    with tenant_session(owner.ref, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute(
            "UPDATE worklist_entries SET result = 'returned_in_time', result_on = %s, settled = true"
            " WHERE patient_uuid = %s",
            (DAY, people[0]),
        )
    clinics = {row["name"]: row["datim_id"] for row in client.get("/v1/facilities").json()["items"]}
    return owner.ref, client, clinics["Clinic 0"], clinics["Clinic 1"]


def put(client, facility, month=MONTH, **shares):
    return client.put("/v1/facility-targets", json={"facility": facility, "month": str(month), **shares})


def funnel(client, by="facility"):
    answer = client.get("/v1/funnel", params={"first": str(DAY), "last": str(DAY), "by": by})
    return {row["key"]: row for row in answer.json()["rows"]}


def test_a_target_counts_the_people_on_lists_of_facilities_that_have_one(partner):
    _, client, first, second = partner
    assert funnel(client)[first]["reached_attained"] is None
    assert put(client, first, reached=1, returned=0.5).status_code == 200
    later = (MONTH + timedelta(days=62)).replace(day=1)
    assert put(client, first, later, reached=0.1, returned=None).status_code == 200
    rows = funnel(client)
    assert (rows[first]["reached"], rows[first]["reached_target"], rows[first]["reached_attained"]) == (2, 4, 0.5)
    assert (rows[first]["returned_target"], rows[first]["returned_attained"]) == (2, 0.5)
    assert (rows[second]["reached_target"], rows[second]["returned_attained"]) == (None, None)
    whole = funnel(client, by="tenant")[None]
    assert (whole["reached"], whole["reached_target"], whole["reached_attained"]) == (3, 4, 0.5)


def test_a_later_target_leaves_the_months_before_and_an_empty_one_ends_it(partner):
    tenant, client, _, second = partner
    earlier = (MONTH - timedelta(days=1)).replace(day=1)
    put(client, second, earlier, reached=0.5, returned=None)
    assert funnel(client)[second]["reached_target"] == 2
    put(client, second, MONTH, reached=None, returned=None)
    assert funnel(client)[second]["reached_target"] is None
    page = client.get("/v1/facility-targets", params={"facility": second}).json()
    assert [(row["month"], row["reached"]) for row in page["items"]] == [(str(MONTH), None), (str(earlier), 0.5)]
    assert client.get("/v1/facility-targets", params={"facility": "nowhere"}).status_code == 422
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        rows = cursor.execute("SELECT detail FROM audit_events WHERE action = 'followup:target:set'").fetchall()
    assert {"month": f"{earlier:%Y-%m}", "reached": 0.5, "returned": None} in [row[0] for row in rows]


@pytest.mark.parametrize(
    "wrong", [{"month": "2026-02-02"}, {"reached": 0.5, "returned": 0.6}, {"reached": 1.1}, {"facility": "nowhere"}]
)
def test_an_impossible_target_is_rejected(partner, wrong):
    _, client, first, _ = partner
    body = {"facility": first, "month": "2026-02-01", "reached": 0.8, "returned": 0.6, **wrong}
    assert client.put("/v1/facility-targets", json=body).status_code == 422


def test_a_file_is_set_as_a_whole_or_not_at_all(partner):
    _, client, first, second = partner
    good = f"\ufeffFacility;Month;Reached;Returned\n{first};2025-01;80 %;0,6\n\n{second};2025-01-01;;\n"
    assert client.post("/v1/facility-targets/file", json={"csv": good}).json() == {"targets": 2}
    rows = client.get("/v1/facility-targets", params={"facility": first, "sort": "month"}).json()["items"]
    assert (rows[0]["month"], rows[0]["reached"], rows[0]["returned"]) == ("2025-01-01", 0.8, 0.6)
    lines = [f"{first},2025-02,90%,", f"{first},2025-02,80%,", "nowhere,2025-13,80,x", f"{second},2025-03,50%,60%"]
    answer = client.post(
        "/v1/facility-targets/file", json={"csv": "\n".join(["facility,month,reached,returned", *lines])}
    )
    fields = [error["field"].removeprefix("body.csv.") for error in answer.json()["errors"]]
    assert fields == ["line 3: month", "line 4: month", "line 4: reached", "line 4: returned", "line 5: returned"]
    assert client.get("/v1/facility-targets", params={"sort": "month"}).json()["items"][0]["month"] == "2025-01-01"
    assert "2025-02-01" not in {row["month"] for row in client.get("/v1/facility-targets").json()["items"]}
    for unreadable in ("", "facility,month\n", "a,b,c,d\n", 'facility,month,reached,returned\n"'):
        answer = client.post("/v1/facility-targets/file", json={"csv": unreadable})
        assert (answer.status_code, unreadable) == (422 if unreadable[-1:] != '"' else 200, unreadable)
