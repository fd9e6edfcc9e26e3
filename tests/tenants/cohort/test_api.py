from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import pytest

START = date(2025, 1, 1)


@pytest.fixture
def clinic(store):
    return store.facility()


@pytest.fixture
def person(store, clinic):
    uuid = store.patient(clinic, art_start_date=START, assumed=START, sex="F")
    store.visits(clinic, uuid, START, next_appointment=START + timedelta(90))
    return uuid


def ok(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_indicators_of_a_period_by_group(api, person):
    report = ok(api.get("/v1/cohort/indicators", params={"period": "2025Q1", "by": "sex,facility"}))
    ((group, counts),) = [(row["group"], row["counts"]) for row in report["rows"]]
    assert group == {"sex": "F", "facility": "FAC1"}
    assert (counts["TX_NEW"], counts["TX_CURR"], counts["TX_ML"]) == (1, 1, 0)
    assert (report["start"], report["end"], report["by"]) == ("2025-01-01", "2025-03-31", ["sex", "facility"])
    assert report["provisional"]
    assert "day 29" in report["definition"]
    same = api.get("/v1/cohort/indicators", params={"start": "2025-01-01", "end": "2025-03-31"})
    assert ok(same)["rows"][0]["counts"]["TX_NEW"] == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "period"),
        ({"period": "2025Q7"}, "period"),
        ({"start": "2025-02-01", "end": "2025-01-01"}, "end"),
        ({"period": "2025", "by": "colour"}, "by"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(api, query, field):
    answer = api.get("/v1/cohort/indicators", params=query)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == f"query.{field}"
    assert error["remedy"]


def test_status_of_a_day(api, person):
    status = ok(api.get("/v1/cohort/status", params={"as_of": "2025-04-15"}))
    assert (status["patients"], status["statuses"]["active"], status["late"], status["pending"]) == (1, 1, 1, 0)
    assert ok(api.get("/v1/cohort/status"))["statuses"]["iit"] == 1
    assert api.get("/v1/cohort/status", params={"as_of": "0001-01-01"}).status_code == 422


def test_a_patients_status_and_its_history_are_read_and_audited(api, store, person):
    status = ok(api.get(f"/v1/patients/{person}/status", params={"as_of": "2025-04-15"}))
    assert (status["status"], status["expected"], status["days_late"]) == ("active", "2025-04-01", 14)
    assert [row["to_status"] for row in status["transitions"]] == ["active", "iit"]
    assert status["transitions"][1]["date"] == "2025-04-30"
    with store.session() as session:
        events = session.cursor().execute("SELECT subject_uuid FROM audit_events WHERE action = 'api:status:read'")
        assert events.fetchall() == [(person,)]
    assert api.get(f"/v1/patients/{uuid4()}/status").status_code == 404


def test_facilities_say_how_far_they_reach(api, person):
    (row,) = ok(api.get("/v1/cohort/facilities"))["items"]
    assert (row["facility"], row["data_date"], row["complete_through"], row["stale"]) == (
        "FAC1",
        "2026-06-30",
        None,
        True,
    )


def test_changed_rules_hold_and_have_the_statuses_recomputed(api, store, person):
    tag = api.get("/v1/settings/cohort").headers["etag"]
    wanted = {"grace_days": 60, "rule": {"kind": "usual_interval"}}
    setting = ok(api.put("/v1/settings/cohort", json=wanted, headers={"If-Match": tag}))
    assert (setting["value"]["grace_days"], setting["value"]["rule"]["window"]) == (60, 5)
    report = ok(api.get("/v1/cohort/indicators", params={"period": "2025"}))
    assert report["provisional"]
    assert "from day 61" in report["definition"]
    assert [job["kind"] for job in ok(api.get("/v1/jobs"))["items"]] == ["cohort.rebuild"]


@pytest.mark.parametrize(
    "change",
    [
        {"grace_days": -1},
        {"rule": {"kind": "guess"}},
        {"rule": {"kind": "schedule", "bands": [{"start": 3, "days": 30}, {"start": 0, "days": 60}]}},
        {"rule": {"kind": "usual_interval", "shortest": 90, "longest": 30}},
        {"rule": {"kind": "usual_interval", "minimum": 9, "window": 3}},
        {"grace": 28},
    ],
)
def test_rules_that_cannot_be_are_rejected(api, change):
    answer = api.put("/v1/settings/cohort", json=change, headers={"If-Match": "*"})
    assert answer.status_code == 422
    assert answer.json()["errors"]
