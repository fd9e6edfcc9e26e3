"""The team: capacities and absences, and who is away is covered until they are back."""

from uuid import UUID, uuid4

import pytest

from tenants.followup import team
from tenants.followup.waiting import PAGE_SIZE
from tests.tenants.followup.teams import Partner


@pytest.fixture
def partner(application, make_tenant):
    return Partner(application, make_tenant())


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
