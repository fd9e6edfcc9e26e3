"""The page of today's work, without a browser: its pages, how it is cut, and in another language."""

import html
import re
from uuid import uuid4

import pytest

from core.database import platform_session, tenant_session
from core.identity.people import members, sessions
from tests.keyed import KeyedClient
from tests.tenants.followup.scored import scored


@pytest.fixture
def reader(application, client_for, owner):
    """A browser of a case manager whose partner has 23 people at risk at three clinics."""
    scored(owner.ref, client_for(application, owner.api_key), at_risk=23, to_trace=1, clinics=3)
    email = f"c@{owner.ref.slug}.example.org"
    person = members.add_member(owner.ref, email, "Case", members.Grant(["case_manager"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, owner.ref.id)
        begun = sessions.begin(session, person, owner.ref.id, signed_in_by="password")
    client = KeyedClient(application)
    client.cookies.set("iit_session", begun.secret)
    return client


def cards(text):
    return len(re.findall(r'id="card-', text))


def test_the_next_page_is_whole_after_some_of_the_first_were_recorded(reader):
    text = reader.get("/today").text
    assert cards(text) == 20
    assert "1 to 20 of 23" in text
    following = html.unescape(re.search(r'rel="next" href="([^"]+)"', text)[1])
    record(reader, re.search(r'id="card-([0-9a-f-]+)"', text)[1], start="")
    text = reader.get(following).text
    assert (cards(text), "20 to 22 of 22" in text) == (3, True)
    # Recording on the second page leads back to it, with whoever is left there.
    start = following.rsplit("start=", 1)[1]
    answer = record(reader, re.search(r'id="card-([0-9a-f-]+)"', text)[1], start=start)
    assert f"start={start}" in answer.headers["location"]
    assert cards(reader.get(answer.headers["location"]).text) == 2


def record(reader, patient, *, headers=None, **view):
    token = re.search(r'name="csrf_token" value="([^"]+)"', reader.get("/me").text)[1]
    form = {"csrf_token": token, "id": str(uuid4()), "patient_id": patient, "outcome": "not_reached", **view}
    origin = {"Origin": "http://testserver", **(headers or {})}
    answer = reader.post("/today/attempts", data=form, headers=origin, follow_redirects=False)
    assert answer.status_code == (200 if headers else 303)
    return answer


@pytest.mark.parametrize("start", ["", "&start=019c2282-2340-72fa-bad3-569c01a5ba50"])
def test_an_empty_list_has_one_page(reader, start):
    text = reader.get(f"/today?facility=nowhere{start}").text
    assert cards(text) == 0
    assert "Nobody is left on this list" in text


def test_a_cut_list_leads_to_the_others(reader):
    assert "23 people at risk and due within 14 days." in reader.get("/today").text
    assert "Nobody is left out" in reader.get("/today/rest").text


def test_all_clinics_can_be_chosen_from_the_page_of_one_and_in_french(reader):
    codes = re.findall(r'<option value="(T\w+)"', reader.get("/today").text)
    assert len(codes) == 3
    text = reader.get("/today", params={"facility": codes[0]}, headers={"Accept-Language": "fr"}).text
    assert re.findall(r'<option value="(T\w+)"', text) == codes
    assert "Toutes les cliniques" in text
    assert "All clinics" not in text


def test_a_wrong_number_is_marked_and_is_no_longer_the_main_action(reader, owner):
    text = reader.get("/today").text
    patient = re.search(r'id="card-([0-9a-f-]+)"', text)[1]
    assert "Wrong number, recorded" not in text
    record(reader, patient, outcome="wrong_number")
    with tenant_session(owner.ref, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("UPDATE interventions SET outcome_date = outcome_date - 1")
    card = reader.get("/today").text.split(f'id="card-{patient}"')[1].split("</article>")[0]
    page = reader.get(f"/patients/{patient}").text
    assert "Wrong number, recorded" in card
    assert '<summary class="button wide main">Record a visit or a new number' in card
    assert '<a href="tel:08000000412">' in card
    assert "Wrong number, recorded" in page
    assert '<summary class="button wide main">Record an attempt' in page
    assert not re.search(r'class="button main[^>]*tel:', card + page)


def test_an_attempt_recorded_without_a_new_page_brings_the_new_numbers(reader):
    patient = re.search(r'id="card-([0-9a-f-]+)"', reader.get("/today").text)[1]
    answer = record(reader, patient, headers={"HX-Request": "true"})
    assert re.search(r'<p id="done-today" hx-swap-oob="true">[^<]* · 1 done today</p>', answer.text)
    lists = answer.text.split('<div id="lists" hx-swap-oob="true">')[1]
    assert re.findall(r'<span class="number">(\d+)', lists) == ["22", "1"]


def test_the_chosen_patients_are_assigned_at_once_and_counted(reader, owner):
    chosen = re.findall(r'id="card-([0-9a-f-]+)"', reader.get("/today").text)[:3]
    email = f"c{uuid4().hex[:8]}@example.org"
    person = members.add_member(owner.ref, email, "Grace Cole", members.Grant(["tracking_officer"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, owner.ref.id)
    token = re.search(r'name="csrf_token" value="([^"]+)"', reader.get("/me").text)[1]
    form = {"csrf_token": token, "person_id": str(person), "patient_id": chosen}
    answer = reader.post("/today/assignments", data=form, headers={"Origin": "http://testserver"})
    assert "3 patients were assigned." in answer.text
    assert answer.text.count("Assigned to Grace Cole") == 3


def test_one_plan_for_the_chosen_patients_is_one_plan_for_each(reader, api):
    chosen = re.findall(r'id="card-([0-9a-f-]+)"', reader.get("/today").text)[3:5]
    token = re.search(r'name="csrf_token" value="([^"]+)"', reader.get("/me").text)[1]
    form = {"csrf_token": token, "id": str(uuid4()), "kind": "home_visit", "due": "2020-01-01", "patient_id": chosen}
    headers = {"Origin": "http://testserver"}
    wrong = reader.post("/today/plans", data=form, headers=headers)
    assert (wrong.status_code, wrong.text.count(' form="chosen" checked')) == (422, 2)
    assert '<a href="#chosen-due">Choose what to do, and a day from today on.</a>' in wrong.text
    first = re.search(r"<button[^>]*>", wrong.text.split('id="chosen"')[1])[0]
    assert 'formaction="/today/plans"' in first, "Enter in the field of the day assigns nobody"
    for _ in range(2):
        answer = reader.post("/today/plans", data=form | {"due": ""}, headers=headers)
        assert "Planned for 2 patients." in answer.text
    assert answer.text.count("Planned: Home visit, by") == 2
    for patient in chosen:
        wanted = {"patient_id": patient, "state": "planned"}
        assert len(api.get("/v1/interventions", params=wanted).json()["items"]) == 1


def test_what_is_planned_shows_on_the_card_and_ends_there(reader, owner, api):
    patient = re.findall(r'id="card-([0-9a-f-]+)"', reader.get("/today").text)[0]
    body = {"id": str(uuid4()), "patient_id": patient, "kind": "home_visit"}
    assert api.post("/v1/interventions", json=body).status_code == 201
    text = reader.get("/today").text
    assert "Planned: Home visit, by" in text
    assert text.count(f'name="plan" value="{body["id"]}"') == 2
    answer = record(reader, patient, start="", plan=body["id"])
    assert f"done={body['id']}" in answer.headers["location"]
    assert api.get(f"/v1/interventions/{body['id']}").json()["outcome"] == "not_reached"
