"""Patients over the API: written, found, changed, voided; every read in the audit, nothing personal in the table."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from core import clock
from core.database import tenant_session
from core.privacy import vault
from tenants.records.service import find_patient

PERSON = {
    "pepfar_id": "PID-0042",
    "hospital_number": "H-17",
    "given_name": "Given-of-42",
    "family_name": "Family-of-42",
    "phone": "0803 555 0042",
}
FACTS = {"sex": "F", "birthdate": "1988-04-12", "art_start_date": "2021-09-03", "state_province": "Kano"}


@pytest.fixture(scope="module")
def shared_patient(shared_api):
    return shared_api.add("/patients", facility="FAC1", **PERSON, **FACTS)


@pytest.fixture
def patient(api):
    return api.add("/patients", facility="FAC1", **PERSON, **FACTS)


def test_what_was_written_is_read_in_the_clear(api, patient):
    answer = api.call("GET", f"/patients/{patient['id']}")
    assert answer.json() == patient
    assert answer.headers["etag"].startswith(f'"{patient["version_id"]}.')
    assert {name: patient[name] for name in PERSON | FACTS} == PERSON | FACTS
    assert (patient["source"], patient["facility"], patient["known_to"]) == ("api", "FAC1", None)


@pytest.mark.parametrize(
    ("body", "matches"),
    [
        ({"phone": "+234 803 555 0042"}, True),
        ({"phone": "08035550042"}, True),
        ({"phone": "08035550043"}, False),
        ({"pepfar_id": " pid-0042 "}, True),
        ({"pepfar_id": "PID-9999"}, False),
        ({"hospital_number": "h-17"}, True),
        ({"hospital_number": "H-18"}, False),
        ({"pepfar_id": "PID-0042", "phone": "08035550042", "facility": "FAC1"}, True),
        ({"pepfar_id": "PID-0042", "phone": "08035550043"}, False),
        ({"pepfar_id": "PID-0042", "facility": "FAC2"}, False),
        ({"pepfar_id": "PID-0042", "as_of": "2001-01-01"}, False),
    ],
)
def test_a_patient_is_found_by_personal_identifiers(shared_api, shared_patient, body, matches):
    answer = shared_api.call("POST", "/patients/search", json=body)
    assert answer.status_code == 200
    assert answer.json()["items"] == [shared_patient] * matches
    assert answer.json()["total"] == int(matches)


def test_everybody_with_an_identifier_is_found_page_by_page(api, patient):
    api.add("/facilities", datim_id="FAC2", name="Clinic two")
    other = api.add("/patients", facility="FAC2", pepfar_id="PID-0042")
    body = {"pepfar_id": "PID-0042"}
    first = api.call("POST", "/patients/search", params={"page_size": 1}, json=body).json()
    second = api.call("POST", first["next"].removeprefix("/v1"), json=body).json()
    assert [page["items"][0]["id"] for page in (first, second)] == sorted([patient["id"], other["id"]])
    assert (first["total"], second["next"]) == (2, None)


@pytest.mark.parametrize("body", [{}, {"facility": "FAC1"}, {"phone": "no number"}, {"pepfar": "1"}])
def test_a_search_names_somebody(shared_api, body):
    assert shared_api.call("POST", "/patients/search", json=body).status_code == 422


@pytest.mark.parametrize("name", ["pepfar_id", "hospital_number", "phone"])
def test_no_address_takes_a_personal_identifier(shared_api, shared_patient, name):
    answer = shared_api.call("GET", "/patients", params={name: PERSON[name]})
    assert [error["field"] for error in answer.json()["errors"]] == [f"query.{name}"]
    for path in (f"/patients/{PERSON[name]}", f"/patients/{PERSON[name]}/timeline"):
        assert shared_api.call("GET", path).status_code == 422


@pytest.mark.parametrize("reference", ["734ce64c-db47-4427-9e41-cfa909323eda"])
def test_who_is_not_there_is_404(shared_api, shared_patient, reference):
    for path in ("", "/timeline"):
        assert shared_api.call("GET", f"/patients/{reference}{path}").status_code == 404
    assert shared_api.patch(f"/patients/{reference}", str(uuid4()), sex="M").status_code == 404
    assert shared_api.void(f"/patients/{reference}").status_code == 404


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ({"facility": "FAC1"}, True),
        ({"facility": "FAC2"}, False),
        ({"sex": "F"}, True),
        ({"sex": "M"}, False),
        ({"state_province": "Kano"}, True),
        ({"state_province": "Lagos"}, False),
        ({"art_start_from": "2021-09-03", "art_start_to": "2021-09-03"}, True),
        ({"art_start_to": "2021-09-02"}, False),
        ({"art_start_from": "2021-09-04"}, False),
        ({"age_min": 10, "age_max": 90}, True),
        ({"age_max": 10}, False),
        ({"age_min": 90}, False),
        ({"updated_since": "2000-01-01T00:00:00Z"}, True),
        ({"updated_since": "2199-01-01T00:00:00Z"}, False),
    ],
)
def test_lists_are_narrowed(shared_api, shared_patient, query, total):
    page = shared_api.get("/patients", **query)
    assert page["total"] == int(total)
    assert [item["id"] for item in page["items"]] == [shared_patient["id"]] * total


def by_phone(api, phone):
    return api.call("POST", "/patients/search", json={"phone": phone}).json()


def test_age_turns_on_the_birthday(shared_api, shared_patient):
    with clock.frozen(datetime(2030, 4, 11, 12, tzinfo=UTC)):
        assert shared_api.get("/patients", as_of="2030-04-11", age_max=41)["total"] == 1
        assert shared_api.get("/patients", as_of="2030-04-12", age_max=41)["total"] == 0
        assert shared_api.get("/patients", as_of="2030-04-12", age_min=42)["items"][0]["age"] == 42


def test_pages_are_whole_and_do_not_overlap(api):
    patient_ids = {api.add("/patients", facility="FAC1", hospital_number=f"H-{n}")["id"] for n in range(5)}
    pages = [api.get("/patients", page=page, page_size=2) for page in (1, 2, 3)]
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert {page["total"] for page in pages} == {5}
    assert {item["id"] for page in pages for item in page["items"]} == patient_ids


@pytest.mark.parametrize("sort", ["id", "-id", "known_from", "-known_from"])
@pytest.mark.parametrize("query", [{}, {"facility": "FAC1"}])
def test_cursors_lead_through_all_patients_in_order(api, sort, query):
    people = [api.add("/patients", facility="FAC1", hospital_number=f"H-{n}") for n in range(5)]
    page = api.get("/patients", page_size=2, sort=sort, **query)
    shown = page["items"]
    while page["next"]:
        assert "after=" in page["next"]
        page = api.call("GET", page["next"].removeprefix("/v1")).json()
        shown += page["items"]
    field, descending = sort.removeprefix("-"), sort.startswith("-")
    assert shown == sorted(people, key=lambda person: (person[field], person["id"]), reverse=descending)


def test_who_follows_a_page_is_not_recorded_as_read(api):
    people = sorted(api.add("/patients", facility="FAC1", hospital_number=f"H-{n}")["id"] for n in range(3))
    for _ in range(2):  # the first read meets the tenant's keys
        api.get("/patients", page_size=2)
    assert [subject for action, subject in api.events() if action == "api:patient:list"] == people[:2] * 2


def test_a_change_keeps_what_was_not_sent_and_the_old_version_can_be_read(api, patient):
    changed = api.patch(f"/patients/{patient['id']}", patient["version_id"], phone="0803 555 0043", sex=None)
    assert changed.status_code == 200
    now = changed.json()
    assert now["version_id"] != patient["version_id"]
    assert changed.headers["etag"] == f'"{now["version_id"]}"'
    assert (now["phone"], now["sex"], now["given_name"]) == ("0803 555 0043", None, "Given-of-42")
    assert by_phone(api, "0803 555 0042")["total"] == 0
    assert by_phone(api, "0803 555 0043")["total"] == 1
    old, new = api.get(f"/patients/{patient['id']}/versions")["items"]
    assert (old["phone"], old["known_to"]) == ("0803 555 0042", new["known_from"])
    assert new["version_id"] == now["version_id"]


def test_the_versions_of_a_patient_are_read_in_pages(api, patient):
    for city in ("Elsewhere", "Nowhere"):
        version = api.get(f"/patients/{patient['id']}")["version_id"]
        assert api.patch(f"/patients/{patient['id']}", version, city_village=city).status_code == 200
    path = f"/patients/{patient['id']}/versions"
    cities = [version["city_village"] for version in api.get(path)["items"]]
    assert cities[1:] == ["Elsewhere", "Nowhere"]
    page = api.get(path, page_size=2, sort="-known_from")
    assert ([version["city_village"] for version in page["items"]], page["total"]) == (cities[:0:-1], 3)
    last = api.client.get(page["next"]).json()
    assert ([version["city_village"] for version in last["items"]], last["next"]) == (cities[:1], None)


def test_as_of_a_day_is_what_was_known_then(api, patient):
    yesterday, tomorrow = ((datetime.now(UTC) + timedelta(days)).date() for days in (-2, 2))
    with clock.frozen(datetime.now(UTC) + timedelta(days=10)):
        api.patch(f"/patients/{patient['id']}", patient["version_id"], city_village="Elsewhere")
    path = f"/patients/{patient['id']}"
    assert api.call("GET", path, params={"as_of": str(yesterday)}).status_code == 404
    assert api.get(path, as_of=str(tomorrow))["city_village"] is None
    assert api.get("/patients", as_of=str(tomorrow))["total"] == 1
    assert api.get("/patients", as_of=str(yesterday))["total"] == 0


def test_a_change_that_changes_nothing_adds_no_version(api, patient):
    same = api.patch(f"/patients/{patient['id']}", patient["version_id"], **PERSON)
    assert same.json() == patient
    assert api.get(f"/patients/{patient['id']}/versions")["total"] == 1


def test_a_change_needs_the_version_that_was_read(api, patient):
    path = f"/patients/{patient['id']}"
    assert api.call("PATCH", path, json={"sex": "M"}).status_code == 428
    assert api.patch(path, str(uuid4()), sex="M").status_code == 412
    assert api.call("DELETE", path, params={"reason": "entered_twice"}).status_code == 428
    assert api.void(path, str(uuid4())).status_code == 412
    assert api.get(path)["sex"] == "F"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sex", "X"),
        ("birthdate", "2999-01-01"),
        ("birthdate", "1800-01-01"),
        ("art_start_date", "1980-01-01"),
        ("phone", "no number"),
        ("given_name", "two\nlines"),
        ("hospital_number", ""),
        ("misspelt", 1),
    ],
)
def test_a_bad_field_is_named(shared_api, field, value):
    body = {"facility": "FAC1", **PERSON, **FACTS, field: value}
    answer = shared_api.call("POST", "/patients", json=body)
    assert answer.status_code == 422
    named = [error["field"] for error in answer.json()["errors"]]
    assert any(field in name for name in named) or "before birthdate" in answer.text
    for text in PERSON.values():
        assert text not in answer.text


def test_a_facility_that_is_not_there_is_named(shared_api):
    answer = shared_api.call("POST", "/patients", json={"facility": "NOWHERE"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.facility")


def test_a_change_is_checked_against_what_stays(api, patient):
    path = f"/patients/{patient['id']}"
    assert api.patch(path, patient["version_id"], art_start_date="1980-01-01").status_code == 422
    assert api.patch(path, patient["version_id"], transferred_in=None).status_code == 422
    assert api.patch(path, patient["version_id"], birthdate="2999-01-01").status_code == 422


def test_one_facility_gives_an_identifier_once(api, patient):
    twin = api.call("POST", "/patients", json={"facility": "FAC1", "pepfar_id": "pid-0042"})
    assert twin.status_code == 409
    other = api.add("/patients", facility="FAC1", hospital_number="H-18")
    assert api.patch(f"/patients/{other['id']}", other["version_id"], hospital_number="H-17").status_code == 409
    assert api.patch(f"/patients/{patient['id']}", patient["version_id"], hospital_number="h-17").status_code == 200


def test_a_voided_patient_is_gone_with_all_that_is_theirs_and_stays_in_the_history(api, patient):
    visit = api.add("/visits", patient_id=patient["id"], date_started="2024-01-10", visit_type="clinical")
    assert api.get("/contacts")["total"] == 1
    assert api.call("DELETE", f"/patients/{patient['id']}", headers={"If-Match": "*"}).status_code == 422
    assert api.void(f"/patients/{patient['id']}", patient["version_id"]).status_code == 204
    assert api.call("GET", f"/patients/{patient['id']}").status_code == 404
    assert api.call("GET", f"/visits/{visit['id']}").status_code == 404
    assert [api.get(path)["total"] for path in ("/patients", "/visits", "/contacts")] == [0, 0, 0]
    tombstone = api.get(f"/patients/{patient['id']}/versions")["items"][-1]
    assert (tombstone["voided"], tombstone["void_reason"]) == (True, "entered_twice")
    assert tombstone["voided_by"].startswith("api_key:")
    assert api.void(f"/patients/{patient['id']}").status_code == 404


def test_the_export_streams_every_patient(api):
    patient_ids = [api.add("/patients", facility="FAC1", hospital_number=f"H-{n}")["id"] for n in range(3)]
    answer = api.call("GET", "/patients/export", params={"facility": "FAC1"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [line["id"] for line in map(json.loads, answer.text.splitlines())] == sorted(patient_ids)
    assert [(a, s) for a, s in api.events() if a == "api:patient:export"] == [
        ("api:patient:export", uuid) for uuid in sorted(patient_ids)
    ]


def test_an_export_goes_on_where_a_step_ended(api, monkeypatch):
    from tenants.records import service

    monkeypatch.setattr(service, "EXPORT_STEP", 2)
    patient_ids = [api.add("/patients", facility="FAC1", hospital_number=f"H-{n}")["id"] for n in range(4)]
    lines = api.call("GET", "/patients/export").text.splitlines()
    assert [line.split('"')[3] for line in lines] == sorted(patient_ids)


def test_every_read_of_a_patient_is_in_the_audit(api, patient):
    uuid = patient["id"]
    api.get(f"/patients/{uuid}")
    by_phone(api, "08035550042")
    api.get(f"/patients/{uuid}/timeline")
    api.get(f"/patients/{uuid}/versions")
    api.call("GET", "/patients/export")
    mine = [action for action, subject in api.events() if subject == uuid]
    acts = ("create", "read", "list", "timeline", "versions", "export")
    assert mine == [f"api:patient:{act}" for act in acts]


def test_the_audit_names_filters_and_fields_and_holds_no_values(api, patient):
    by_phone(api, "08035550042")
    api.patch(f"/patients/{patient['id']}", patient["version_id"], phone="0803 555 0043")
    with tenant_session(api.tenant, actor="test:1") as session:
        details = session.cursor().execute("SELECT detail FROM audit_events WHERE detail IS NOT NULL").fetchall()
    assert ({"filters": ["phone"]},) in details
    assert ({"fields": ["phone"]},) in details
    assert "555" not in str(details)


def test_nothing_personal_is_in_the_tables_in_the_clear(api, patient):
    api.patch(f"/patients/{patient['id']}", patient["version_id"], phone="0803 555 0043")
    with tenant_session(api.tenant, actor="test:1") as session:
        cursor = session.cursor()
        names = cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()",
        ).fetchall()
        stored = b""
        for (name,) in names:
            for (row,) in cursor.execute(f'SELECT t::text FROM "{name}" AS t').fetchall():  # noqa: S608 - from the catalog
                stored += row.encode() + b"\n"
    assert patient["id"].encode() in stored
    for text in (*PERSON.values(), "5550042", "5550043", "0803 555 0043"):
        for form in (text, text.upper(), text.replace(" ", "")):
            assert form.encode() not in stored
            assert form.encode().hex().encode() not in stored


def test_an_erased_patient_is_shown_without_what_named_them(api, patient):
    with tenant_session(api.tenant, actor="test:1") as session:
        vault(session).erase_patient(find_patient(session, patient["id"]).uuid)
    shown = api.get(f"/patients/{patient['id']}")
    assert [shown[name] for name in PERSON] == [None] * len(PERSON)
    assert shown["sex"] == "F"
    answer = api.patch(f"/patients/{patient['id']}", patient["version_id"], given_name="Again")
    assert answer.status_code == 409


def test_the_timeline_tells_the_story_newest_first(api, patient):
    visit = api.add("/visits", patient_id=patient["id"], date_started="2024-01-10", visit_type="clinical")
    encounter = api.add(
        "/encounters",
        patient_id=patient["id"],
        visit_id=visit["id"],
        encounter_datetime="2024-01-10T23:30:00Z",
    )
    api.add(
        "/observations",
        patient_id=patient["id"],
        encounter_id=encounter["id"],
        obs_datetime="2024-01-09T09:00:00+01:00",
        variable_name="viral_load",
        value_numeric=40,
        unit="copies/mL",
    )
    page = api.get(f"/patients/{patient['id']}/timeline")
    assert [(item["date"], item["kind"]) for item in page["items"]] == [
        ("2024-01-11", "encounter"),  # half past midnight where the tenant is
        ("2024-01-10", "visit"),
        ("2024-01-10", "contact"),
        ("2024-01-09", "observation"),
    ]
    assert page["items"][3]["facts"]["value_numeric"] == 40
    oldest = api.get(f"/patients/{patient['id']}/timeline", sort="date")
    assert oldest["items"] == page["items"][::-1]
    assert {item["facility"] for item in page["items"]} == {"FAC1"}
    assert page["items"][0]["facts"]["visit_id"] == visit["id"]
    only = api.get(f"/patients/{patient['id']}/timeline", kind=["visit", "contact"], page_size=1)
    assert (only["total"], [item["kind"] for item in only["items"]]) == (2, ["visit"])
