"""A partner's own status beside ours, over the API and on the command line."""

from __future__ import annotations

import json
from datetime import date, timedelta
from uuid import uuid4

import pytest

from core.cli.main import run
from tenants.imports.models_snapshots import RadetSnapshot

from .conftest import STAMP

START, MARCH, JUNE = date(2025, 1, 1), date(2025, 3, 31), date(2025, 6, 30)


@pytest.fixture
def people(store):
    """One person in IIT since May whom the list gives as dead in June, and one on treatment as a restart."""
    clinic = store.facility()
    uuids = []
    for number in (1, 2):
        uuid = store.patient(clinic, number, art_start_date=START, stamp=STAMP, sex="F")
        store.visits(clinic, uuid, START, start=number, next_appointment=START + timedelta(90 * number), stamp=STAMP)
        uuids.append(uuid)
    listed(store, clinic, uuids[0], MARCH, "active", START)
    listed(store, clinic, uuids[0], JUNE, "died", START)
    listed(store, clinic, uuids[1], JUNE, "active_restart", START)
    return uuids


def listed(store, clinic, patient, day, status, pickup):
    with store.session() as session:
        session.add(
            RadetSnapshot(
                patient_uuid=patient,
                data_date=day,
                facility_uuid=clinic,
                source="lamisplus",
                import_uuid=uuid4(),
                status=status,
                last_pickup=pickup,
                days_supplied=90,
            )
        )


def ok(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_lists_are_shown_by_their_day_with_the_partners_statuses(api, people):
    newest, oldest = ok(api.get("/v1/cohort/radets"))
    assert (newest["data_date"], newest["patients"], oldest["data_date"]) == ("2025-06-30", 2, "2025-03-31")
    assert newest["statuses"]["died"] == 1


def test_the_comparison_counts_people_by_both_statuses_and_gives_reasons(api, people):
    comparison = ok(api.get("/v1/cohort/radets/2025-06-30/comparison"))
    assert (comparison["compared"], comparison["agreed"], comparison["grace_days"]) == (2, 1, 28)
    counts = {(row["theirs"], row["ours"]): (row["people"], row["agree"]) for row in comparison["counts"]}
    assert counts == {("died", "iit"): (1, False), ("active_restart", "active"): (1, True)}
    assert [row["reason"] for row in comparison["reasons"]] == ["left_only_on_list"]
    assert ok(api.get("/v1/cohort/radets/2025-03-31/comparison", params={"facility": "FAC1"}))["compared"] == 1


def test_who_differs_is_listed_page_by_page_and_the_read_is_in_the_audit(api, people, store):
    page = ok(api.get("/v1/cohort/radets/2025-06-30/disagreements", params={"page_size": 1}))
    assert page["total"] == 1
    (item,) = page["items"]
    assert (item["patient_id"], item["theirs"], item["ours"]) == (str(people[0]), "died", "iit")
    assert (item["last_contact"], item["expected"]) == ("2025-01-01", "2025-04-01")
    with store.session() as session, session.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_events WHERE action = 'api:radet_disagreements:read'")
        assert cursor.fetchone() == (1,)


def test_flows_between_two_lists_by_the_partners_statuses(api, people):
    answer = ok(api.get("/v1/cohort/radets/2025-06-30/flows", params={"since": "2025-03-31"}))
    flows = {(row["before"], row["after"]): row["people"] for row in answer["flows"]}
    assert flows == {("active", "died"): 1, ("not_on_list", "active_restart"): 1}


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/v1/cohort/radets/2024-12-31/comparison", {}, 404),
        ("/v1/cohort/radets/2025-06-30/comparison", {"facility": "FAC9"}, 422),
        ("/v1/cohort/radets/2025-06-30/flows", {"since": "2024-12-31"}, 422),
        ("/v1/cohort/radets/2025-06-30/flows", {}, 422),
        ("/v1/cohort/radets/soon/comparison", {}, 422),
    ],
)
def test_a_list_that_is_not_there_is_told_with_what_to_do(api, people, path, params, status):
    answer = api.get(path, params=params)
    assert answer.status_code == status
    assert answer.json()["remedy"] or answer.json()["errors"][0]["remedy"]


def test_the_command_line_lists_compares_and_shows_flows(store, people, capsys):
    slug = store.tenant.slug
    assert run(["radet", "list", slug]) == 0
    assert "2025-06-30" in capsys.readouterr().out
    assert run(["radet", "compare", slug]) == 0
    output = capsys.readouterr().out
    assert "1 of 2 people have the same status" in output
    assert str(people[0]) in output
    assert run(["radet", "compare", slug, "--data-date", "2025-06-30", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["disagreements"][0]["reason"] == "left_only_on_list"
    assert run(["radet", "flows", slug, "--from", "2025-03-31", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["flows"]) == 2
    assert run(["radet", "compare", slug, "--data-date", "2020-01-01"]) == 1
    assert "no RADET of 2020-01-01 was imported" in capsys.readouterr().err
