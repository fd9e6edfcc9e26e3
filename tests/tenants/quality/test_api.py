"""Reports and decisions over the API and on the command line, and the jobs behind them."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient

from core.cli.main import run
from core.database import tenant_session
from core.jobs.worker import drain
from tenants.quality.models import LinkageCandidate, QualityReport
from tenants.records.ids import new_uuid
from tests.tenants.quality.conftest import People
from tests.tenants.quality.test_candidates import ALIKE

MAPPING = """
source: csv:quality
data_date: 2024-06-30
files:
  patients: {name: patients.csv}
records:
  - into: patients
    file: patients
    patient: id
    facility: {datim_id: clinic}
    columns: {sex: sex, birthdate: born}
"""
CSV = "id,clinic,sex,born\nP1,Q1,F,1990-05-01\nP2,Q1,,1980-02-03\nP3,Q2,M,not a date\n"


@pytest.fixture
def imported(api: TestClient, owner: Any) -> str:
    """An import of two accepted rows and a rejected one, and its report made."""
    files = [("files", ("patients.csv", CSV.encode(), "text/csv"))]
    answer = api.post("/v1/imports", files=files, data={"mapping": MAPPING})
    drain(owner.ref)
    return str(answer.json()["id"])


def test_an_import_is_reported_on_with_its_rejected_rows(api: TestClient, imported: str) -> None:
    report = api.get(f"/v1/quality/imports/{imported}").json()
    shares = {each["measure"]: (each["numerator"], each["denominator"]) for each in report["measures"]}
    assert shares["rows_accepted"] == (2, 3)
    assert shares["sex_filled"] == (2, 3)
    assert [(each["field"], each["count"]) for each in report["rejected"]] == [("born", 1)]
    assert [each["facility"] for each in report["facilities"]] == ["Q2", "Q1"]
    assert 0 <= report["score"] <= 100
    assert api.get("/v1/quality/trend", params={"by": "import"}).json()["items"][0]["period"] == imported
    assert api.get("/v1/quality/trend", params={"facility": "Q1"}).json()["items"][0]["period"] == "2024Q2"


def test_a_measure_that_was_stored_under_its_former_name_is_read_under_its_present_one(
    api: TestClient, imported: str, owner: Any
) -> None:
    with tenant_session(owner.ref, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("UPDATE quality_measures SET measure = 'next_date_told' WHERE measure = 'sex_filled'")
    report = api.get(f"/v1/quality/imports/{imported}").json()
    assert {each["measure"]: each["numerator"] for each in report["measures"]}["next_date_filled"] == 2


def test_reports_are_listed_of_all_and_of_one_facility(api: TestClient, imported: str) -> None:
    whole = api.get("/v1/quality/reports", params={"import_id": imported}).json()
    one = api.get("/v1/quality/reports", params={"facility": "Q1"}).json()
    assert (whole["total"], whole["items"][0]["facility"]) == (1, None)
    assert (one["total"], one["items"][0]["facility"]) == (1, "Q1")
    full = api.get(f"/v1/quality/reports/{one['items'][0]['id']}").json()
    assert full["score"] == one["items"][0]["score"]
    assert full["rejected"] == []


def test_scores_over_time_are_read_in_pages(api: TestClient, people: People) -> None:
    quarters = ["2025Q4", "2026Q1", "2026Q2"]
    with people.session() as session:
        for day in (date(2026, 3, 31), date(2025, 12, 31), date(2026, 6, 30)):
            session.add(QualityReport(run_uuid=new_uuid(), definitions="1", score=77, dimensions={}, data_date=day))
    for sort, periods in (("data_date", quarters), ("-data_date", quarters[::-1])):
        page = api.get("/v1/quality/trend", params={"sort": sort, "page_size": 2}).json()
        assert ([each["period"] for each in page["items"]], page["total"]) == (periods[:2], 3)
        last = api.get(page["next"]).json()
        assert ([each["period"] for each in last["items"]], last["next"]) == (periods[2:], None)


def test_pairs_and_reports_are_read_with_cursors(api: TestClient, people: People) -> None:
    facility = people.facility()
    patients = sorted(people.person(facility, number, hospital_number=f"H{number}") for number in range(4))
    probabilities = [0.1 + 0.2, 0.3, 0.97]
    with people.session() as session:
        for second, probability in zip(patients[1:], probabilities, strict=True):
            evidence = {"agree": [], "differ": [], "care": "unknown"}
            session.add(LinkageCandidate(first_uuid=patients[0], second_uuid=second, probability=probability,
                                         evidence=evidence, evidence_hash="x"))  # fmt: skip
            session.add(QualityReport(run_uuid=new_uuid(), definitions="1", score=77, dimensions={}))
    for path, sort in (("candidates", "probability"), ("candidates", "found_at"), ("reports", "made_at")):
        for order in (sort, f"-{sort}"):
            link, rows = f"/v1/quality/{path}?sort={order}&page_size=1", []
            while link:
                page = api.get(link).json()
                rows += page["items"]
                link = page["next"]
            assert len({row["id"] for row in rows}) == page["total"] == 3, order
            assert rows == sorted(rows, key=lambda row: (row[sort], row["id"]), reverse=order != sort)
    first = api.get("/v1/quality/candidates").json()["items"]
    assert [each["probability"] for each in first] == [0.97, 0.1 + 0.2, 0.3]


def test_what_is_not_there_is_not_found_and_what_makes_no_sense_is_rejected(api: TestClient) -> None:
    nobody = "0197c1f0-0000-7000-8000-000000000000"
    for path in (f"reports/{nobody}", f"imports/{nobody}"):
        assert api.get(f"/v1/quality/{path}").status_code == 404, path
    for path in ("reports?facility=none", "trend?facility=none"):
        assert api.get(f"/v1/quality/{path}").status_code == 422, path
    assert api.post("/v1/quality/reports", json={"import_id": nobody}).status_code == 422
    assert api.get("/v1/quality/trend", params={"by": "week"}).status_code == 422
    assert api.post(f"/v1/quality/candidates/{nobody}/refuse", json={"reason": "x"}).status_code == 422
    assert api.get(f"/v1/patients/{nobody}/identity").status_code == 404


def test_people_recorded_twice_are_found_merged_and_unmerged(api: TestClient, people: People) -> None:
    facility = people.facility()
    for number in range(3, 9):
        people.person(facility, number, given_name=f"Aaa{number}", family_name=f"Bbb{number}", sex="M",
                      birthdate=date(1960 + number, 5, number))  # fmt: skip
    first, second = (people.person(facility, number, **ALIKE) for number in (1, 2))
    assert api.post("/v1/quality/links").status_code == 202
    drain(people.tenant)
    (candidate,) = api.get("/v1/quality/candidates").json()["items"]
    assert {each["patient_id"] for each in candidate["patients"]} == {str(first), str(second)}
    url = f"/v1/quality/candidates/{candidate['id']}"
    assert api.get(url).json() == candidate
    body = {"reason": "same person, seen", "canonical_id": str(first)}
    assert api.post(f"{url}/merge", json=body).json() == {"canonical_id": str(first), "members": [str(second)]}
    assert api.post(f"{url}/merge", json=body).status_code == 409
    identity = api.get(f"/v1/patients/{second}/identity").json()
    assert identity["canonical_id"] == str(first)
    assert identity["history"][0]["reason"] == "same person, seen"
    answer = api.post(f"/v1/patients/{second}/unmerge", json={"reason": "twins"}).json()
    assert answer == {"canonical_id": str(second), "members": []}
    assert api.get("/v1/quality/candidates", params={"state": "refused"}).json()["items"][0]["reason"] == "twins"


def answer_of(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_command_line_says_the_same(people: People, capsys: pytest.CaptureFixture[str]) -> None:
    slug = people.tenant.slug
    facility = people.facility()
    for number in range(3, 9):
        people.person(facility, number, given_name=f"Aaa{number}", family_name=f"Bbb{number}", sex="M")
    first, second = (people.person(facility, number, **ALIKE) for number in (1, 2))
    report = answer_of(capsys, "quality", "report", slug, "--facility", "FAC1")
    assert report["facility"] == "FAC1"
    assert {each["measure"] for each in report["measures"]} >= {"sex_filled", "not_twice"}
    assert answer_of(capsys, "quality", "report", slug)["facilities"][0]["facility"] == "FAC1"
    assert answer_of(capsys, "quality", "trend", slug)["points"][0]["score"] == report["score"]
    assert answer_of(capsys, "quality", "link", slug)["new"] == 1
    (candidate,) = answer_of(capsys, "quality", "candidates", slug)["candidates"]
    merged = answer_of(capsys, "quality", "merge", slug, candidate["id"], "--keep", str(first), "--reason", "seen both")
    assert merged["members"] == [str(second)]
    assert answer_of(capsys, "quality", "unmerge", slug, str(second), "--reason", "twins")["members"] == []
    for words in (["report", slug], ["trend", slug], ["candidates", slug, "--state", "refused"]):
        assert run(["quality", *words]) == 0
    assert run(["quality", "report", slug, "--facility", "NONE"]) == 1
    rejected = answer_of(capsys, "quality", "refuse", slug, candidate["id"], "--reason", "twins indeed")
    assert rejected["state"] == "refused"


def test_a_report_of_one_facility_is_none_of_all(
    api: TestClient, people: People, imported: str, capsys: pytest.CaptureFixture[str]
) -> None:
    slug = people.tenant.slug
    before = answer_of(capsys, "quality", "trend", slug)
    listed = api.get("/v1/quality/reports").json()
    for words in ([], ["--import", imported]):
        report = answer_of(capsys, "quality", "report", slug, "--facility", "Q1", *words)
        assert (report["facility"], report["facilities"]) == ("Q1", [])
        assert api.get("/v1/quality/reports", params={"facility": "Q1"}).json()["items"][0]["id"] == report["id"]
    assert answer_of(capsys, "quality", "trend", slug) == before
    assert api.get("/v1/quality/reports").json() == listed
    assert api.get(f"/v1/quality/imports/{imported}").json()["facility"] is None, "the import's own is still its newest"
    assert run(["quality", "report", slug, "--facility", "Q1", "--import", str(people.facility())]) == 1


def test_a_merge_says_who_counts_for_whom(people: People, capsys: pytest.CaptureFixture[str]) -> None:
    slug = people.tenant.slug
    facility = people.facility()
    for number in range(3, 9):
        people.person(facility, number, given_name=f"Aaa{number}", family_name=f"Bbb{number}", sex="M")
    away, canonical = (people.person(facility, number, **ALIKE) for number in (1, 2))
    answer_of(capsys, "quality", "link", slug)
    (candidate,) = answer_of(capsys, "quality", "candidates", slug)["candidates"]
    assert run(["quality", "merge", slug, candidate["id"], "--keep", str(canonical), "--reason", "seen both"]) == 0
    assert capsys.readouterr().out == f"{away} counts for {canonical}\n"
    assert run(["quality", "unmerge", slug, str(canonical), "--reason", "twins"]) == 1
    assert f"unmerge a patient that is merged into it: {away}" in capsys.readouterr().err
    assert run(["quality", "unmerge", slug, str(away), "--reason", "twins"]) == 0
    assert capsys.readouterr().out == f"{away} counts for itself alone\n"


def test_a_merged_patient_tells_the_one_under_whom_the_person_goes_on(api: TestClient, people: People) -> None:
    facility = people.facility()
    first, second = (people.person(facility, number, hospital_number=f"H{number}") for number in (1, 2))
    assert api.get(f"/v1/patients/{first}").json()["canonical_id"] is None
    body = {"canonical_id": str(second), "reason": "registered twice"}
    assert api.post(f"/v1/patients/{first}/merge", json=body).status_code == 200
    assert api.get(f"/v1/patients/{first}").json()["canonical_id"] == str(second)
    assert api.get(f"/v1/patients/{first}", params={"as_of": "2025-01-01"}).json()["canonical_id"] is None
    listed = {each["id"]: each["canonical_id"] for each in api.get("/v1/patients").json()["items"]}
    assert listed == {str(first): str(second), str(second): None}
    narrowed = api.post("/v1/patients/search", json={"hospital_number": "H1"}).json()["items"]
    assert [each["canonical_id"] for each in narrowed] == [str(second)]
    assert api.get(f"/v1/patients/{first}/versions").json()["items"][0]["canonical_id"] == str(second)
