"""Visits, encounters and observations over the API; lists of what imports bring; facilities; statistics."""

from __future__ import annotations

import json
from datetime import date
from uuid import UUID, uuid4

import pytest

from core.database import tenant_session
from tenants.records import contacts
from tenants.records.facilities import FacilityFacts, ensure
from tenants.records.ids import new_uuid
from tenants.records.models import Appointment, Dispensation
from tenants.records.repository import find_facility
from tenants.records.upsert import staging, upsert


@pytest.fixture
def patient(api):
    return api.add("/patients", facility="FAC1", hospital_number="H-1", sex="F", birthdate="1990-01-01")


@pytest.fixture(scope="module")
def shared(shared_api):
    """A patient with one row of each kind, for tests that only read or are rejected."""
    person = shared_api.add("/patients", facility="FAC1", hospital_number="H-1")
    rows = {path: shared_api.add(f"/{path}", patient_id=person["id"], **body) for path, body in BODIES.items()}
    return person, rows


BODIES = {
    "visits": {"date_started": "2024-01-10", "visit_type": "clinical"},
    "encounters": {"encounter_datetime": "2024-01-10T09:00:00Z", "encounter_type": "pharmacy"},
    "observations": {"obs_datetime": "2024-01-10T09:00:00Z", "variable_name": "cd4", "value_numeric": 350},
}
CHANGES = {
    "visits": {"next_appointment": "2024-02-10"},
    "encounters": {"form": "Pharmacy Order Form"},
    "observations": {"value_numeric": 400},
}
every = pytest.mark.parametrize("path", list(BODIES))


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "1899-12-31T23:00:00Z", "9999-12-31T23:59:59-12:00"]
)
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("encounters", "encounter_datetime"),
        ("observations", "obs_datetime"),
        ("observations", "value_datetime"),
    ],
)
def test_a_moment_that_no_record_is_of_is_rejected_by_its_name(shared, shared_api, path, field, moment):
    person, rows = shared
    body = {**BODIES[path], "patient_id": person["id"], field: moment}
    added = shared_api.call("POST", f"/{path}", json=body)
    changed = shared_api.patch(f"/{path}/{rows[path]['id']}", rows[path]["version_id"], **{field: moment})
    for answer in (added, changed):
        assert answer.status_code == 422, answer.text
        assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]


@every
def test_written_read_changed_listed_exported_and_voided(api, patient, path):
    row = api.add(f"/{path}", patient_id=patient["id"], **BODIES[path])
    item = f"/{path}/{row['id']}"
    answer = api.call("GET", item)
    assert answer.json() == row
    assert answer.headers["etag"].startswith(f'"{row["version_id"]}.')
    assert row["facility"] == patient["facility"] == "FAC1"
    changed = api.patch(item, row["version_id"], **CHANGES[path])
    assert changed.status_code == 200
    assert changed.json() == row | CHANGES[path] | {name: changed.json()[name] for name in ("version_id", "known_from")}
    assert api.get(f"/{path}", patient_id=patient["id"])["items"] == [changed.json()]
    lines = api.call("GET", f"/{path}/export").text.splitlines()
    assert [json.loads(line) for line in lines] == [changed.json()]
    assert api.void(item, changed.json()["version_id"]).status_code == 204
    assert api.call("GET", item).status_code == 404
    assert api.get(f"/{path}")["total"] == 0


@every
def test_a_change_needs_the_version_that_was_read(api, patient, path):
    row = api.add(f"/{path}", patient_id=patient["id"], **BODIES[path])
    item = f"/{path}/{row['id']}"
    assert api.call("PATCH", item, json=CHANGES[path]).status_code == 428
    assert api.patch(item, str(uuid4()), **CHANGES[path]).status_code == 412
    assert api.void(item, str(uuid4())).status_code == 412
    assert api.call("DELETE", item, headers={"If-Match": "*"}).status_code == 422
    assert api.patch(item, row["version_id"], **{next(iter(CHANGES[path])): None}).status_code == 200


@every
def test_what_is_not_there_is_404_and_what_cannot_be_is_422(api, patient, path):
    item = f"/{path}/{uuid4()}"
    assert api.call("GET", item).status_code == 404
    assert api.patch(item, str(uuid4()), **CHANGES[path]).status_code == 404
    assert api.void(item).status_code == 404
    assert api.call("POST", f"/{path}", json={"patient_id": str(uuid4()), **BODIES[path]}).status_code == 422
    for wrong in ({"facility": "NOWHERE"}, {"misspelt": 1}, {"visit_id": str(uuid4())}):
        body = {"patient_id": patient["id"], **BODIES[path], **wrong}
        answer = api.call("POST", f"/{path}", json=body)
        assert answer.status_code == 422
        assert next(iter(wrong)) in str(answer.json()["errors"])


@every
def test_every_read_names_the_patient_in_the_audit(api, patient, path):
    row = api.add(f"/{path}", patient_id=patient["id"], **BODIES[path])
    api.get(f"/{path}/{row['id']}")
    api.get(f"/{path}")
    api.call("GET", f"/{path}/export")
    kind = path.removesuffix("s")
    mine = [action for action, subject in api.events() if subject == patient["id"] and kind in action]
    assert mine == [f"api:{kind}:{act}" for act in ("create", "read", "list", "export")]


@pytest.mark.parametrize(
    ("path", "change", "field"),
    [
        ("visits", {"date_started": "2999-01-01"}, "date_started"),
        ("visits", {"date_started": "1800-01-01"}, "date_started"),
        ("visits", {"date_stopped": "2024-01-09"}, "date_stopped"),
        ("visits", {"next_appointment": "2024-01-10"}, "next_appointment"),
        ("encounters", {"encounter_datetime": "2999-01-01T00:00:00Z"}, "encounter_datetime"),
        ("encounters", {"encounter_datetime": "2024-01-01T00:00:00"}, "encounter_datetime"),
        ("observations", {"value_numeric": -1}, "value_numeric"),
        ("observations", {"value_numeric": 20000}, "value_numeric"),
        ("observations", {"concept_id": 0}, "concept_id"),
        ("observations", {"obs_datetime": None}, "obs_datetime"),
    ],
)
def test_a_bad_field_is_named_when_written_and_when_changed(shared_api, shared, path, change, field):
    patient, rows = shared
    body = {"patient_id": patient["id"], **BODIES[path], **change}
    for answer in (
        shared_api.call("POST", f"/{path}", json=body),
        shared_api.patch(f"/{path}/{rows[path]['id']}", rows[path]["version_id"], **change),
    ):
        assert answer.status_code == 422
        assert field in answer.text


def test_a_coded_value_is_one_of_its_words(api, patient):
    body = {"patient_id": patient["id"], "obs_datetime": "2024-01-10T09:00:00Z", "variable_name": "arv_adherence"}
    assert api.call("POST", "/observations", json={**body, "value_coded": "superb"}).status_code == 422
    row = api.add("/observations", **body, value_coded="good")
    answer = api.patch(f"/observations/{row['id']}", row["version_id"], value_coded="superb")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.value_coded")


def test_a_sample_without_a_result_has_no_value(api, patient):
    row = api.add(
        "/observations",
        patient_id=patient["id"],
        obs_datetime="2024-01-10T09:00:00Z",
        variable_name="viral_load",
    )
    assert [row[name] for name in ("value_numeric", "value_text", "value_coded", "value_datetime")] == [None] * 4


def test_a_visit_of_another_patient_is_rejected(api, patient):
    other = api.add("/patients", facility="FAC1", hospital_number="H-2")
    visit = api.add("/visits", patient_id=other["id"], **BODIES["visits"])
    body = {"patient_id": patient["id"], "visit_id": visit["id"], **BODIES["encounters"]}
    assert api.call("POST", "/encounters", json=body).status_code == 422
    api.add("/encounters", **body | {"patient_id": other["id"]})


@pytest.mark.parametrize(
    ("path", "query", "total"),
    [
        ("visits", {"date_from": "2024-01-10", "date_to": "2024-01-10"}, 1),
        ("visits", {"date_from": "2024-01-11"}, 0),
        ("visits", {"visit_type": "clinical", "facility": "FAC1"}, 1),
        ("visits", {"visit_type": "pharmacy"}, 0),
        ("visits", {"facility": "FAC2"}, 0),
        ("visits", {"updated_since": "2199-01-01T00:00:00Z"}, 0),
        ("visits", {"as_of": "2024-01-10"}, 0),
        ("encounters", {"date_from": "2024-01-10", "date_to": "2024-01-10"}, 1),
        ("encounters", {"date_to": "2024-01-09"}, 0),
        ("encounters", {"encounter_type": "pharmacy"}, 1),
        ("observations", {"variable_name": "cd4"}, 1),
        ("observations", {"variable_name": "viral_load"}, 0),
        ("observations", {"concept_id": 5497}, 0),
    ],
)
def test_lists_are_narrowed(shared_api, shared, path, query, total):
    assert shared_api.get(f"/{path}", **query)["total"] == total


def test_a_list_of_somebody_who_is_not_there_is_rejected(api):
    assert api.call("GET", "/visits", params={"patient_id": str(uuid4())}).status_code == 422


def test_contacts_follow_visits(api, patient):
    visit = api.add("/visits", patient_id=patient["id"], **BODIES["visits"])
    assert [item["contact_date"] for item in api.get("/contacts")["items"]] == ["2024-01-10"]
    moved = api.patch(f"/visits/{visit['id']}", visit["version_id"], date_started="2024-01-12").json()
    assert [item["contact_date"] for item in api.get("/contacts")["items"]] == ["2024-01-12"]
    api.patch(f"/visits/{visit['id']}", moved["version_id"], visit_type="laboratory")
    assert api.get("/contacts")["total"] == 0


def test_what_imports_bring_is_listed_and_counted(api, patient):
    mine = {"patient_uuid": UUID(patient["id"])}
    with tenant_session(api.tenant, actor="job:1") as session:
        facility = find_facility(session, "FAC1").uuid
        with staging(session, Dispensation, source="csv:a") as stage:
            stage.add(facility, b"1", mine | {"date_dispensed": date(2024, 1, 10), "days_supplied": 90})
        upsert(session, stage, import_uuid=new_uuid(), data_date=date(2024, 2, 1))
        with staging(session, Appointment, source="csv:a") as stage:
            booked = {"booked_on": date(2024, 1, 1), "due_date": date(2024, 1, 11), "status": "kept"}
            stage.add(facility, b"1", mine | booked)
        upsert(session, stage, import_uuid=new_uuid(), data_date=date(2024, 2, 1))
        contacts.refresh(session, [UUID(patient["id"])])
    assert api.get("/dispensations", patient_id=patient["id"])["items"][0]["days_supplied"] == 90
    assert api.get("/appointments", date_from="2024-01-11")["items"][0]["status"] == "kept"
    assert [item["pickup"] for item in api.get("/contacts", facility="FAC1")["items"]] == [False, True]
    assert api.get("/contacts", as_of="2024-01-31")["total"] == 0
    assert api.get("/contacts", as_of="2024-02-01")["total"] == 2
    statistics = api.get("/records/statistics")
    counts = {item["name"]: item["count"] for item in statistics["tables"]}
    assert counts == {
        "patients": 1,
        "patient_states": 0,
        "visits": 0,
        "encounters": 0,
        "observations": 0,
        "dispensations": 1,
        "appointments": 1,
        "contacts": 2,
    }
    assert statistics["months"] == [{"month": "2024-01-01", "visits": 0, "dispensations": 1, "contacts": 2}]
    read = [action for action, subject in api.events() if subject == patient["id"]][1:]
    assert read == ["api:dispensation:list", "api:appointment:list", *["api:contact:list"] * 2]


def test_statistics_say_what_is_not_recorded(api, patient):
    api.add("/patients", facility="FAC1", hospital_number="H-2")
    api.add("/facilities", datim_id="FAC2", name="Clinic two")
    statistics = api.get("/records/statistics")
    assert statistics["facilities"] == [
        {"facility": "FAC1", "name": "Clinic one", "patients": 2, "data_date": None},
        {"facility": "FAC2", "name": "Clinic two", "patients": 0, "data_date": None},
    ]
    assert statistics["sexes"] == [{"name": "F", "count": 1}, {"name": "not recorded", "count": 1}]
    bands = {item["name"]: item["count"] for item in statistics["age_bands"]}
    assert list(bands)[:3] == ["<1", "1-4", "5-9"]
    assert (sum(bands.values()), bands["not recorded"]) == (2, 1)
    assert api.get("/records/statistics", as_of="2001-01-01")["tables"][0]["count"] == 0


def test_facilities_are_added_read_changed_and_found(api):
    facility = api.add("/facilities", datim_id="FAC2", name="Clinic two", state_province="Lagos")
    path = f"/facilities/{facility['id']}"
    assert api.get("/facilities", datim_id="FAC2")["items"] == [api.get(path)] == [facility]
    assert api.get("/facilities", datim_id="FAC")["total"] == 0
    body = {"name": "Clinic 2", "state_province": "Lagos"}
    put = {"json": body, "headers": {"If-Match": f'"{facility["version_id"]}"'}}
    assert api.call("PUT", path, json=body).status_code == 428
    changed = api.call("PUT", path, **put)
    assert (changed.status_code, changed.json()["name"]) == (200, "Clinic 2")
    assert api.call("PUT", path, **put).status_code == 412
    assert [item["datim_id"] for item in api.get("/facilities")["items"]] == ["FAC2", "FAC1"]
    assert api.get("/facilities", state_province="Kano")["total"] == 1
    assert api.get("/facilities", name="CLINIC 2")["total"] == 1
    assert api.get("/facilities", name="%%")["total"] == 0
    assert api.call("GET", f"/facilities/{uuid4()}").status_code == 404
    assert api.call("GET", "/facilities/FAC2").status_code == 422
    assert api.call("POST", "/facilities", json={"datim_id": "FAC2", "name": "Again"}).status_code == 409
    assert api.call("POST", "/facilities", json={"datim_id": "FAC3"}).status_code == 422


def test_a_facility_whose_datim_id_has_a_slash_is_looked_up_by_query(api):
    api.add("/facilities", datim_id="NG/KN/001", name="Clinic with a slash")
    assert [item["name"] for item in api.get("/facilities", datim_id="NG/KN/001")["items"]] == ["Clinic with a slash"]


def test_facilities_of_imports_are_made_once_and_completed(session):
    def load(day, *facts):
        return ensure(session, facts, source="csv:a", data_date=date(2024, day, 1))

    def stored():
        rows = session.cursor().execute("SELECT name, state_province, county_district, data_date FROM facilities")
        return rows.fetchall()

    first = load(3, FacilityFacts(datim_id="FAC1"))
    assert stored() == [("FAC1", None, None, date(2024, 3, 1))]
    assert load(4, FacilityFacts(datim_id="FAC1", name="Clinic", state_province="Kano")) == first
    load(2, FacilityFacts(datim_id="FAC1", name="Old name", state_province="Old state", county_district="Nassarawa"))
    assert stored() == [("Clinic", "Kano", "Nassarawa", date(2024, 4, 1))]
    before = session.cursor().execute("SELECT version_id FROM facilities").fetchall()
    load(4, FacilityFacts(datim_id="FAC1", name="Clinic", state_province="Kano"))
    assert session.cursor().execute("SELECT version_id FROM facilities").fetchall() == before
    assert ensure(session, [], source="csv:a", data_date=date(2024, 1, 1)) == {}


@pytest.mark.parametrize("path", ["/patients", "/visits", "/encounters", "/dispensations", "/contacts"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("as_of", "9999-12-31"),
        ("as_of", "0001-01-01"),
        ("date_to", "9999-12-31"),
        ("date_from", "0001-01-01"),
        ("updated_since", "0001-01-01T00:00:00+14:00"),
        ("updated_since", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_a_day_beyond_reckoning_is_rejected_by_name(shared_api, path, name, value):
    answer = shared_api.call("GET", path, params={name: value})
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [f"query.{name}"]
    if (path, name) in {("/patients", "date_to"), ("/patients", "date_from")} or (
        name == "updated_since" and path in {"/dispensations", "/contacts"}
    ):
        assert answer.json()["errors"][0]["problem"] == "this operation has no such parameter"
        return
    assert "1900 to 2199" in answer.json()["errors"][0]["problem"]
    assert answer.json()["errors"][0]["remedy"] == "Send a day from 1900-01-01 to 2199-12-31."


def test_what_was_written_since_before_there_were_such_identities_is_everything(shared_api):
    assert shared_api.call("GET", "/visits", params={"updated_since": "1900-01-01T00:00:00Z"}).status_code == 200


def test_a_day_that_nobody_checked_is_rejected_where_it_is_reckoned_with(session):
    from datetime import date

    from core.errors import Invalid
    from tenants.records.days import end_of_day

    with pytest.raises(Invalid, match="1900 to 2199"):
        end_of_day(session.tenant, date.max)


def test_a_nul_in_a_body_is_rejected(api):
    body = {"datim_id": "FAC2", "name": "Clinic\0two", "state_province": "Kano"}
    assert api.call("POST", "/facilities", json=body).status_code == 422


def pages_of(api, link):
    """The items of each page, from the first to the one without ``next``."""
    pages = []
    while link:
        page = api.call("GET", link.removeprefix("/v1")).json()
        pages.append(page["items"])
        link = page["next"]
    return pages


@pytest.mark.parametrize(
    ("sort", "field"), [("date_started", "date_started"), ("-date_started", "date_started"), ("known_from", "id")]
)
def test_a_cursor_leads_through_every_row_in_order_also_where_days_are_the_same(api, patient, sort, field):
    days = ["2024-01-10", "2024-01-10", "2024-01-12", "2024-01-10", "2024-01-11", "2024-01-10", "2024-01-09"]
    visits = [api.add("/visits", patient_id=patient["id"], date_started=day)["id"] for day in days]
    pages = pages_of(api, f"/visits?page_size=2&sort={sort}")
    rows = [row for page in pages for row in page]
    assert [len(page) for page in pages] == [2, 2, 2, 1]
    assert sorted(row["id"] for row in rows) == sorted(visits)
    if field != "id":
        shown = [row[field] for row in rows]
        assert shown == sorted(shown, reverse=sort.startswith("-"))


def test_rows_that_come_between_shift_no_page(api, patient):
    for day in range(10, 16):
        api.add("/visits", patient_id=patient["id"], date_started=f"2024-01-{day}")
    first = api.get("/visits", page_size=2)
    api.add("/visits", patient_id=patient["id"], date_started="2024-01-20")
    second = api.call("GET", first["next"].removeprefix("/v1")).json()
    assert [row["date_started"] for row in second["items"]] == ["2024-01-13", "2024-01-12"]
    assert (second["page"], second["total"]) == (2, 7)


@pytest.mark.parametrize("path", ["dispensations", "appointments", "contacts", "encounters", "observations"])
def test_every_list_of_care_takes_sort_and_after(shared_api, path):
    assert shared_api.get(f"/{path}", sort="known_from", page_size=1)["page"] == 1
    answer = shared_api.call("GET", f"/{path}", params={"after": "x"})
    assert [error["field"] for error in answer.json()["errors"]] == ["query.after"]
    assert shared_api.call("GET", f"/{path}", params={"sort": "unit"}).status_code == 422
