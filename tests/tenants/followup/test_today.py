"""Today's work: who is on it, who rests, and for how long."""

from datetime import timedelta
from itertools import chain
from uuid import uuid4

import pytest

from core.clock import frozen, now, today
from core.database import tenant_session
from tenants.followup.rest import read_rest
from tenants.followup.today import read_counts, read_today
from tests.keyed import KeyedClient
from tests.tenants.followup.scored import ZONE, scored


@pytest.fixture
def world(application, client_for, make_tenant):
    """A tenant with three people at risk and two to trace, at two clinics."""
    owner = make_tenant()
    client = client_for(application, owner.api_key)
    return owner.ref, client, scored(owner.ref, client, clinics=2)


def read(tenant, kind="at_risk", **options):
    return read_today(tenant, lambda: tenant_session(tenant, actor="test:1"), kind, **options)


def listed(tenant, kind="at_risk", **options):
    return [str(card.patient_id) for card in read(tenant, kind, **options).people]


def record(client, patient, outcome, **facts):
    body = {"id": str(uuid4()), "patient_id": patient, "outcome": outcome, **facts}
    assert client.post("/v1/attempts", json=body).status_code == 201
    return body["id"]


def test_no_scored_day_is_no_list(tenant):
    assert read(tenant) is None


def test_a_card_says_who_why_and_until_when(world):
    tenant, _, people = world
    card = read(tenant, identities=True).people[0]
    assert str(card.patient_id) in people["at_risk"]
    assert (card.sex, card.risk_level, card.identity["phone"]) == ("F", "high", "08000000412")
    assert (card.raising, card.lowering) == (["12 days late at the last refill"], [])
    assert card.expected_date == today(ZONE) + timedelta(days=3)
    assert read(tenant).people[0].identity is None


def test_both_lists_are_counted_and_every_person_shown_is_in_the_audit(world, open_session):
    tenant, _, people = world
    work = read(tenant)
    assert (work.waiting("at_risk"), work.waiting("to_trace"), work.done) == (3, 2, 0)
    with open_session(tenant) as session, session.cursor() as cursor:
        read_of = cursor.execute(
            "SELECT DISTINCT subject_uuid::text FROM audit_events WHERE action = 'followup:today:read'"
        ).fetchall()
    assert {row[0] for row in read_of} == set(people["at_risk"])


def test_who_was_tried_today_leaves_the_list_and_an_undo_brings_them_back(world):
    tenant, client, people = world
    patient = people["at_risk"][0]
    attempt = record(client, patient, "not_reached")
    assert patient not in listed(tenant)
    assert read(tenant).done == 1
    client.delete(f"/v1/attempts/{attempt}")
    assert patient in listed(tenant)


def test_a_change_of_capacity_keeps_the_number_of_people_who_were_tried_today(world):
    tenant, client, people = world
    assert len(listed(tenant)) == 3
    for patient in people["at_risk"]:
        record(client, patient, "not_reached")
    client.patch("/v1/settings/risk", json={"capacity": 1}, headers={"If-Match": "*"})
    work = read(tenant)
    assert (work.cut.listed, work.done) == (2, 3)
    own = {clinic.datim_id: read(tenant, facility=clinic.datim_id).done for clinic in work.clinics["at_risk"]}
    assert sorted(own.values()) == [1, 2]
    counts = read_counts(tenant, lambda: tenant_session(tenant, actor="test:1"))
    assert (counts.done, counts.clinics) == (3, work.clinics)


@pytest.mark.parametrize(
    ("outcome", "facts", "days"),
    [
        ("not_reached", {}, 1),
        ("wrong_number", {}, 1),
        ("promised", {}, 3),
        ("promised", {"promised_for": 5}, 5),
        ("returned", {}, 28),
        ("refused", {}, 90),
        ("moved", {}, 180),
    ],
)
def test_a_patient_rests_for_as_long_as_the_outcome_says(world, outcome, facts, days):
    tenant, client, people = world
    patient = people["at_risk"][0]
    dates = {name: str(today(ZONE) + timedelta(days=number)) for name, number in facts.items()}
    record(client, patient, outcome, **dates)
    with frozen(now() + timedelta(days=days - 1)):
        assert patient not in listed(tenant)
    with frozen(now() + timedelta(days=days)):
        assert patient in listed(tenant)


def test_the_list_of_a_clinic_has_its_people_alone(world):
    tenant, _, people = world
    clinics = read(tenant).clinics["at_risk"]
    parts = [listed(tenant, facility=clinic.datim_id) for clinic in clinics]
    assert sorted(len(part) for part in parts) == [1, 2]
    assert sorted(chain(*parts)) == sorted(people["at_risk"])


def test_a_chosen_clinic_counts_its_people_and_leaves_the_other_clinics_to_choose(world):
    tenant, client, people = world
    every = read(tenant)
    for clinic in every.clinics["at_risk"]:
        work = read(tenant, facility=clinic.datim_id)
        assert work.clinics == every.clinics
        assert work.waiting("at_risk") == clinic.waiting
    record(client, people["at_risk"][0], "not_reached")
    parts = [read(tenant, facility=clinic.datim_id).done for clinic in every.clinics["at_risk"]]
    assert sorted(parts) == [0, 1]


@pytest.fixture(scope="module")
def many(application, make_tenant):
    """A tenant with 45 people at risk at three clinics: its reference, a client, and their identifiers."""
    owner = make_tenant()
    with KeyedClient(application, headers={"X-API-Key": owner.api_key}) as client:
        yield owner.ref, client, scored(owner.ref, client, at_risk=45, to_trace=0, clinics=3)["at_risk"]


def pages_of(tenant):
    """Today's pages, each read when the one before was read."""
    work = read(tenant)
    while True:
        yield work
        if work.place.next is None:
            return
        work = read(tenant, start=work.place.next)


def people_of(work):
    return [str(card.patient_id) for card in work.people]


def test_pages_follow_each_other_without_a_gap_there_and_back(many):
    tenant, _, people = many
    pages = list(pages_of(tenant))
    assert [(work.place.before, len(work.people)) for work in pages] == [(0, 20), (20, 20), (40, 5)]
    assert sorted(chain(*map(people_of, pages))) == sorted(people)
    assert people_of(read(tenant, start=pages[2].place.previous)) == people_of(pages[1])
    assert people_of(read(tenant, start=pages[1].place.previous)) == people_of(pages[0])


def test_nobody_is_missed_when_some_of_a_page_are_recorded_before_the_next(many):
    tenant, client, people = many
    seen, attempts = set(), []
    for work in pages_of(tenant):
        seen |= set(people_of(work))
        attempts += [record(client, patient, "not_reached") for patient in people_of(work)[:5]]
    assert seen == set(people)
    for attempt in attempts:
        client.delete(f"/v1/attempts/{attempt}")


def test_a_page_from_which_on_nobody_waits_or_of_another_list_is_the_first(many):
    tenant, client, _ = many
    *_, last = pages_of(tenant)
    attempts = [record(client, patient, "not_reached") for patient in people_of(last)]
    assert read(tenant, start=last.place.start).place.start is None
    assert read(tenant, start=uuid4()).people == read(tenant).people
    for attempt in attempts:
        client.delete(f"/v1/attempts/{attempt}")


def test_a_list_says_how_it_is_cut_and_the_rest_is_read_in_its_order(many):
    tenant, client, people = many
    settings = client.patch("/v1/settings/risk", json={"capacity": 4}, headers={"If-Match": "*"})
    assert settings.status_code == 200, settings.text
    work = read(tenant)
    assert (work.cut.listed, work.cut.candidates, work.cut.capacity, work.cut.is_cut) == (12, 45, 4, True)
    first = work.clinics["at_risk"][0]
    of_one = read(tenant, facility=first.datim_id).cut
    assert (of_one.listed, of_one.candidates) == (4, 15)
    with tenant_session(tenant, actor="test:1") as session:
        rest = read_rest(session, "at_risk", page=7)
        assert (rest.total, rest.page) == (33, 1)
        assert {str(one.patient_id) for one in rest.people} == set(people) - set(people_of(work))
        risks = [one.risk for one in rest.people]
        assert read_rest(session, "at_risk", facility=first.datim_id).total == 11
        assert read_rest(session, "to_trace").people == []
    assert risks == sorted(risks, reverse=True)
    client.patch("/v1/settings/risk", json={"capacity": None}, headers={"If-Match": "*"})
    assert not read(tenant).cut.is_cut


def test_who_has_the_same_risk_as_others_of_the_clinic_is_told_so(many):
    tenant, _, _ = many
    assert {card.equals for card in read(tenant).people} == {0}
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("UPDATE worklist_entries SET score = 0.9 WHERE rank <= 4")
    equals = [card.equals for card in read(tenant).people]
    assert equals[:12] == [3] * 12
    assert set(equals[12:]) == {0}


def test_who_reaches_one_clinic_sees_its_people_and_the_list_stays_whole(world):
    from core.database import Reach

    tenant, _, people = world
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        facility = cursor.execute(
            "SELECT facility_uuid FROM patients WHERE uuid = %s AND known_to IS NULL", (people["at_risk"][0],)
        ).fetchone()[0]
    reach = Reach(facility_ids=frozenset({facility}))
    work = read_today(tenant, lambda: tenant_session(tenant, actor="test:1", reach=reach), "at_risk")
    assert [str(card.patient_id) for card in work.people] == [people["at_risk"][0], people["at_risk"][2]]
    assert (len(work.clinics["at_risk"]), work.waiting("at_risk"), work.waiting("to_trace")) == (1, 2, 1)
    assert len(listed(tenant)) == 3


def test_a_patient_who_is_elsewhere_now_is_on_the_list_of_who_reaches_both_clinics_alone(world):
    from core.database import Reach

    tenant, _, people = world
    moved = people["at_risk"][0]
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        rows = cursor.execute("SELECT uuid::text, facility_uuid FROM patients WHERE known_to IS NULL").fetchall()
        before = dict(rows)[moved]
        after = next(facility for _, facility in rows if facility != before)
    assert moved in listed(tenant)
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("UPDATE patients SET facility_uuid = %s WHERE uuid = %s", (after, moved))
    for reached in ({before}, {after}):
        reach = Reach(facility_ids=frozenset(reached))
        work = read_today(tenant, lambda: tenant_session(tenant, actor="test:1", reach=reach), "at_risk")  # noqa: B023
        assert moved not in {str(card.patient_id) for card in work.people}
    assert moved in listed(tenant)


def test_a_merged_person_is_on_the_list_once_with_the_attempts_of_both(world):
    tenant, client, people = world
    first, second, other = people["at_risk"]
    listed(tenant)  # issues the list, before the merge
    record(client, second, "reached")
    body = {"canonical_id": second, "reason": "one person"}
    assert client.post(f"/v1/patients/{first}/merge", json=body).status_code == 200
    assert listed(tenant) == [other]
    assert read(tenant).done == 1
    with frozen(now() + timedelta(days=60)):
        cards = {str(card.patient_id): card for card in read(tenant).people}
        assert set(cards) == {second, other}
        assert cards[second].attempts == 1
    client.post(f"/v1/patients/{first}/unmerge", json={"reason": "twins"})
    assert listed(tenant) == [first, other] or listed(tenant) == [other, first]


def test_an_attempt_for_the_merged_record_counts_for_the_survivor_who_is_not_on_the_list(world):
    tenant, client, people = world
    merged = people["at_risk"][0]
    facility = client.get(f"/v1/patients/{merged}").json()["facility"]
    body = {"facility": facility, "hospital_number": f"S-{uuid4().hex[:8]}"}
    survivor = client.post("/v1/patients", json=body).json()["id"]
    listed(tenant)
    attempt = record(client, merged, "not_reached")
    merge = {"canonical_id": survivor, "reason": "one person"}
    assert client.post(f"/v1/patients/{merged}/merge", json=merge).status_code == 200
    attempts = client.get("/v1/attempts", params={"patient_id": survivor}).json()["items"]
    assert [one["id"] for one in attempts] == [attempt]
    assert survivor not in listed(tenant)
    client.delete(f"/v1/attempts/{attempt}")
    assert survivor in listed(tenant)
    assert merged not in listed(tenant)
    record(client, survivor, "reached")
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        query = "SELECT outcome FROM worklist_entries WHERE patient_uuid = %s"
        assert cursor.execute(query, (merged,)).fetchall() == [("reached",)]


def test_a_voided_patient_is_on_no_list(world):
    tenant, client, people = world
    gone = people["at_risk"][0]
    assert gone in listed(tenant)
    answer = client.delete(f"/v1/patients/{gone}", params={"reason": "entered_twice"}, headers={"If-Match": "*"})
    assert answer.status_code == 204
    assert gone not in listed(tenant)


def test_who_reaches_no_clinic_of_the_list_has_no_work(world):
    from core.database import Reach

    tenant, _, _ = world
    reach = Reach(states=frozenset({"no state of theirs"}))
    work = read_today(tenant, lambda: tenant_session(tenant, actor="test:1", reach=reach), "at_risk")
    assert (list(work.people), list(work.clinics["at_risk"]), list(work.clinics["to_trace"])) == ([], [], [])
