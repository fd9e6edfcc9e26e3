"""The sharing out: by capacity and load, the same again, with a hand-over while somebody is away; or by itself."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from core.clock import today
from core.database import tenant_session
from core.identity.people import members
from core.jobs.worker import drain
from tenants.followup import sharing, team
from tenants.followup.handovers import handed_over
from tenants.followup.today import read_today
from tenants.records.identities import merge
from tests.tenants.followup.scored import ZONE
from tests.tenants.followup.teams import Partner
from tests.tenants.imports.test_at_once import waiting


def did(assigned, left, handed_over=0, given_back=0):
    return {"assigned": assigned, "left": left, "handed_over": handed_over, "given_back": given_back}


@pytest.fixture
def partner(application, make_tenant):
    return Partner(application, make_tenant())


def share_out(partner):
    answer = partner.client.post("/v1/officers/share-out")
    assert answer.status_code == 200, answer.text
    return answer.json()


def assign(partner, person, patients):
    for patient in patients:
        answer = partner.client.put(f"/v1/assignments/{patient}", json={"person_id": str(person)})
        assert answer.status_code == 200, answer.text


def people_of(partner, person):
    return {patient for patient, follower in partner.followers().items() if follower == person}


def test_lists_are_shared_out_by_capacity_the_first_in_rank_first(partner):
    full, part, away = (partner.officer(name) for name in ("Full", "Part", "Away"))
    for person, people in ((full, 4), (part, 2), (away, 20)):
        assert partner.capacity(person, people).status_code == 204
    assert partner.away(away).status_code == 201
    first, second = (partner.client.post("/v1/officers/share-out").json() for _ in range(2))
    assert (first, second) == (did(6, 3), did(0, 3))
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
    assert partner.client.post("/v1/officers/share-out").json() == did(1, 8)
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
        patched.setattr(sharing, "can_follow", meanwhile)
        shared = partner.client.post("/v1/officers/share-out")
    assert (shared.status_code, shared.json()) == (200, did(8, 0))
    assert partner.followers()[taken] == chosen


def test_who_is_away_hands_over_and_has_their_people_again_when_they_are_back(partner):
    gone, present = partner.officer("Gone"), partner.officer("Present")
    partner.capacity(present, 5)
    own = set(partner.people[:3])
    assign(partner, gone, own)
    absence = partner.away(gone).json()["id"]
    assert share_out(partner) == did(2, 4, handed_over=3)
    assert people_of(partner, present) == set(partner.people[:5])
    assert share_out(partner) == did(0, 4)
    assert partner.client.delete(f"/v1/officers/absences/{absence}").status_code == 204
    assert (people_of(partner, gone), people_of(partner, present)) == (own, set(partner.people[3:5]))
    partner.away(gone)
    assert share_out(partner)["handed_over"] == 3
    with tenant_session(partner.tenant, actor="test:1") as session:
        session.cursor().execute(
            "UPDATE officer_absences SET first_day = %(d)s, last_day = %(d)s", {"d": today(ZONE) - timedelta(1)}
        )
    assert share_out(partner) == did(3, 1, given_back=3)
    assert people_of(partner, gone) == own


def test_the_end_of_an_absence_waits_for_a_sharing_out_that_has_read_the_absence(partner):
    gone, present = partner.officer("Gone"), partner.officer("Present")
    partner.capacity(present, 9)
    assign(partner, gone, partner.people)
    absence = UUID(partner.away(gone).json()["id"])

    def end():
        with tenant_session(partner.tenant, actor="test:1") as session:
            team.remove_absence(session, absence)

    with ThreadPoolExecutor(1) as pool:
        with tenant_session(partner.tenant, actor="test:1") as session:
            assert sharing.share_out(session).handed_over == 9
            ended = pool.submit(end)
            while not ended.done() and not waiting():
                pass
        ended.result()
    assert people_of(partner, gone) == set(partner.people)


def test_people_stay_with_the_cover_who_has_less_room_for_others(partner):
    gone, cover, other = (partner.officer(name) for name in ("Gone", "Cover", "Other"))
    for person in (cover, other):
        partner.capacity(person, 6)
    own = partner.people[5:]
    assign(partner, gone, own)
    partner.away(gone, cover=cover)
    assert share_out(partner) == did(5, 0)
    assert people_of(partner, gone) == set(own)
    assert (len(people_of(partner, cover)), len(people_of(partner, other))) == (1, 4)


def test_a_cover_who_is_away_too_or_works_elsewhere_covers_nobody(partner):
    other = f"T{uuid4().hex[:10]}"
    partner.client.post("/v1/facilities", json={"datim_id": other, "name": "Other"})
    gone, cover, present = (
        partner.officer("Gone"),
        partner.officer("Cover", facilities=[other]),
        partner.officer("Present"),
    )
    partner.capacity(present, 9)
    assign(partner, gone, partner.people[:2])
    partner.away(gone, cover=cover)
    assert share_out(partner) == did(7, 0, handed_over=2)


def test_people_of_somebody_who_left_get_another_officer_and_keep_them(partner):
    left, present = partner.officer("Left"), partner.officer("Present")
    partner.capacity(present, 9)
    assign(partner, left, partner.people[:2])
    members.change_member(partner.tenant, left, members.Grant(["viewer"]), actor="test:1")
    assert share_out(partner) == did(9, 0)
    with tenant_session(partner.tenant, actor="test:1") as session:
        assert handed_over(session) == []
    assert people_of(partner, present) == set(partner.people)


def test_whom_a_person_gives_to_the_stand_in_stays_there_and_a_merge_takes_the_hand_over_along(partner):
    gone, present = partner.officer("Gone"), partner.officer("Present")
    partner.capacity(present, 9)
    chosen, merged, survivor = partner.people[:3]
    assign(partner, gone, (chosen, merged))
    partner.away(gone)
    partner.client.delete(f"/v1/assignments/{survivor}")
    assert share_out(partner)["handed_over"] == 2
    assign(partner, present, [chosen])
    partner.client.delete(f"/v1/assignments/{survivor}")
    with tenant_session(partner.tenant, actor="test:1") as session:
        merge(session, UUID(merged), UUID(survivor), "recorded twice")
        assert [(str(one.patient), one.owner) for one in handed_over(session)] == [(survivor, gone)]


class Night:
    """A partner who issues lists, with the sharing out switched on or off."""

    def __init__(self, partner):
        self.partner = partner

    def switch(self, on):
        answer = self.partner.client.patch("/v1/settings/followup", json={"share_out": on}, headers={"If-Match": "*"})
        assert answer.status_code == 200, answer.text

    def issue(self, kind, **more):
        body = {"kind": kind, "as_of": str(today(ZONE)), **more}
        answer = self.partner.client.post("/v1/worklists", json=body)
        assert answer.status_code == 201, answer.text
        done = drain(self.partner.tenant)
        shared_at = self.partner.client.get(f"/v1/worklists/{answer.json()['id']}").json()["shared_at"]
        return done, shared_at


def test_lists_are_shared_out_when_both_of_a_day_are_made_if_the_partner_wants_it(partner):
    night, present = Night(partner), partner.officer("Present")
    partner.capacity(present, 4)
    assert night.issue("to_trace") == (0, None)
    night.switch(on=True)
    place = partner.facility
    assert night.issue("at_risk", facility=place) == (0, None)
    done, shared_at = night.issue("at_risk", capacity=8)
    assert (done, shared_at is not None) == (1, True)
    assert people_of(partner, present) == set(partner.people[:4])
    partner.capacity(present, 6)
    assert night.issue("at_risk", capacity=9)[0] == 1
    assert people_of(partner, present) == set(partner.people[:6])
    night.switch(on=False)
    partner.capacity(present, 9)
    assert night.issue("at_risk", capacity=7) == (0, None)
    assert len(partner.followers()) == 6
    page = partner.client.get("/v1/worklists", params={"kind": "at_risk"}).json()["items"]
    assert sum(each["shared_at"] is not None for each in page) == 2


def test_one_list_alone_is_not_shared_out(partner):
    present = partner.officer("Present")
    partner.capacity(present, 4)
    night = Night(partner)
    night.switch(on=True)
    assert night.issue("at_risk", capacity=8) == (0, None)


def test_the_job_does_nothing_once_the_partner_has_stopped_it(partner):
    present = partner.officer("Present")
    partner.capacity(present, 4)
    night = Night(partner)
    night.switch(on=True)
    body = {"kind": "to_trace", "as_of": str(today(ZONE))}
    partner.client.post("/v1/worklists", json=body)
    night.switch(on=False)
    assert drain(partner.tenant) == 1
    assert partner.followers() == {}


def test_what_a_repetition_did_not_do_is_not_noted(partner):
    present = partner.officer("Present")
    partner.capacity(present, 4)
    share_out(partner)
    with tenant_session(partner.tenant, actor="test:2") as session:
        first = sharing.state(session)
        assert (first.did.assigned, first.did.left, first.automatic) == (4, 5, False)
        sharing.share_out(session)
        again = sharing.state(session)
    assert (again.at, again.by, again.did) == (first.at, first.by, first.did)
    work = read_today(partner.tenant, lambda: tenant_session(partner.tenant, actor="test:1"), "at_risk")
    assert work.shared_at == first.at
