"""The team: lists are shared out by capacity, and who is away is covered until they are back."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from core.clock import today
from core.database import platform_session, tenant_session
from core.identity.people import members
from tenants.followup import team
from tenants.followup.today import read_today
from tenants.followup.waiting import PAGE_SIZE
from tests.keyed import KeyedClient
from tests.tenants.followup.scored import ZONE, scored


class Partner:
    """A tenant with nine people on today's list of one clinic, and officers."""

    def __init__(self, application, owner):
        self.tenant = owner.ref
        self.client = KeyedClient(application, headers={"Authorization": f"Bearer {owner.api_key}"})
        self.people = scored(owner.ref, self.client, at_risk=9, to_trace=0)["at_risk"]
        self.client.post("/v1/worklists", json={"kind": "at_risk", "as_of": str(today(ZONE))})
        self.facility = self.client.get("/v1/facilities").json()["items"][0]["datim_id"]

    def officer(self, name, **grant):
        email = f"{uuid4().hex[:10]}@example.org"
        person = members.add_member(
            self.tenant, email, name, members.Grant(["tracking_officer"], **grant), actor="test:1"
        )
        with platform_session() as session:
            members.accept(session, person, self.tenant.id)
        return person

    def capacity(self, person, people, facility=None):
        body = {"facility": facility or self.facility, "people": people}
        return self.client.put(f"/v1/officers/{person}/capacity", json=body)

    def away(self, person, first=0, last=3, cover=None):
        days = {"first": str(today(ZONE) + timedelta(days=first)), "last": str(today(ZONE) + timedelta(days=last))}
        return self.client.post(f"/v1/officers/{person}/absences", json={**days, "cover_id": cover and str(cover)})

    def followers(self):
        with tenant_session(self.tenant, actor="test:1") as session, session.cursor() as cursor:
            return dict(cursor.execute("SELECT patient_uuid::text, person_id FROM patient_assignments").fetchall())

    def mine(self, person):
        work = read_today(self.tenant, lambda: tenant_session(self.tenant, actor="test:1"), "at_risk", mine=person)
        return {str(card.patient_id) for card in work.people}


@pytest.fixture
def partner(application, make_tenant):
    return Partner(application, make_tenant())


def test_lists_are_shared_out_by_capacity_the_first_in_rank_first(partner):
    full, part, away = (partner.officer(name) for name in ("Full", "Part", "Away"))
    for person, people in ((full, 4), (part, 2), (away, 20)):
        assert partner.capacity(person, people).status_code == 204
    assert partner.away(away).status_code == 201
    first, second = (partner.client.post("/v1/officers/share-out").json() for _ in range(2))
    assert (first, second) == ({"assigned": 6, "left": 3}, {"assigned": 0, "left": 3})
    followers = partner.followers()
    assert sorted(followers) == sorted(partner.people[:6])
    assert [list(followers.values()).count(person) for person in (full, part, away)] == [4, 2, 0]
    shown = {officer["name"]: officer for officer in partner.client.get("/v1/officers").json()}
    assert (shown["Full"]["assigned"], shown["Full"]["capacity"][0]["people"]) == (4, 4)
    assert (shown["Part"]["assigned"], len(shown["Away"]["absences"])) == (2, 1)


def test_nobody_gets_people_whom_they_do_not_reach(partner):
    other, moved = f"T{uuid4().hex[:10]}", partner.people[0]
    place = partner.client.post("/v1/facilities", json={"datim_id": other, "name": "Other"}).json()["id"]
    away = partner.officer("Away", facilities=[other])
    assert partner.capacity(away, 9).status_code == 422
    assert partner.capacity(away, 9, facility=other).status_code == 204
    with tenant_session(partner.tenant, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("UPDATE patients SET facility_uuid = %s WHERE uuid = %s", (place, moved))
        cursor.execute(
            "INSERT INTO officer_capacities SELECT %s, facility_uuid, 9, 'test:1', now() FROM worklist_entries LIMIT 1",
            (away,),
        )
    assert partner.client.post("/v1/officers/share-out").json() == {"assigned": 1, "left": 8}
    assert partner.followers() == {moved: away}


def test_a_choice_that_a_person_makes_meanwhile_stays(partner, monkeypatch):
    full, chosen = partner.officer("Full"), partner.officer("Chosen")
    partner.capacity(full, 9)
    taken = partner.people[0]

    def meanwhile(*_):
        if taken not in partner.followers():
            partner.client.put(f"/v1/assignments/{taken}", json={"person_id": str(chosen)})
        return True

    with monkeypatch.context() as patched:
        patched.setattr(team, "can_follow", meanwhile)
        shared = partner.client.post("/v1/officers/share-out")
    assert (shared.status_code, shared.json()) == (200, {"assigned": 8, "left": 0})
    assert partner.followers()[taken] == chosen


def test_the_people_of_who_is_away_count_as_those_of_the_cover_until_the_last_day(partner):
    gone, cover, other = (partner.officer(name) for name in ("Gone", "Cover", "Other"))
    patient, rest = partner.people[0], set(partner.people[1:])
    partner.client.put(f"/v1/assignments/{patient}", json={"person_id": str(gone)})
    assert (partner.mine(cover), partner.mine(other)) == (rest, rest)
    absence = partner.away(gone, cover=cover).json()["id"]
    assert (partner.mine(cover), partner.mine(other)) == ({patient, *rest}, rest)
    assert partner.client.delete(f"/v1/officers/absences/{absence}").status_code == 204
    assert partner.mine(cover) == rest
    partner.away(gone, first=2, last=4, cover=cover)
    assert partner.mine(cover) == rest
    partner.away(gone)
    assert (partner.mine(cover), partner.mine(other)) == ({patient, *rest}, {patient, *rest})
    assert partner.followers() == {patient: gone}
    assert len(partner.people) <= PAGE_SIZE


def test_impossible_capacities_and_absences_are_rejected(partner):
    person, only_assigned = partner.officer("One"), partner.officer("Two", assigned_only=True)
    assert partner.capacity(uuid4(), 5).status_code == 404
    assert partner.capacity(person, 5, facility="nowhere").status_code == 422
    assert partner.capacity(person, -1).status_code == 422
    assert partner.away(uuid4()).status_code == 404
    for wrong in (
        {"last": -1, "first": -2},
        {"first": 4},
        {"cover": person},
        {"cover": uuid4()},
        {"cover": only_assigned},
    ):
        assert partner.away(person, **wrong).status_code == 422, wrong
    assert partner.client.delete(f"/v1/officers/absences/{uuid4()}").status_code == 404


def test_capacity_and_absence_are_in_the_audit(partner, open_session):
    person = partner.officer("One")
    partner.capacity(person, 5)
    partner.capacity(person, None)
    partner.away(person)
    with open_session(partner.tenant) as session:
        assert next(one for one in team.officers(session) if one.id == UUID(str(person))).capacity == {}
        with session.cursor() as cursor:
            rows = cursor.execute("SELECT action FROM audit_events WHERE subject_uuid = %s", (person,)).fetchall()
    acts = sorted(row[0] for row in rows if row[0].startswith("followup"))
    assert acts == ["followup:absence:add"] + ["followup:capacity:set"] * 2
