"""Schedules: whom their links go to, and what is left of them when their creator's rights shrink."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from core import clock
from core.database import node_session, platform_session, tenant_session
from core.identity import keys
from core.identity.people import accounts, members
from core.jobs.worker import drain
from tenants.reports import due, making, schedules
from tenants.reports.file_schemas import SchedulePost
from tests.core.mail.server import installed
from tests.keyed import KeyedClient

WEEKLY = {"kind": "line-list", "format": "csv", "every": "week", "on_day": 1, "at_hour": 6}


@pytest.fixture
def box(monkeypatch):
    with installed(monkeypatch) as server:
        yield server


@pytest.fixture
def join(store):
    """Adds a person who can sign in; gives the id."""

    def join(name, role="data_officer", facilities=None):
        grant = members.Grant([role], facilities)
        person = members.add_member(store.tenant, address(name, store), name, grant, actor="test:1")
        with platform_session() as session:
            members.accept(session, person, store.tenant.id)
        return person

    return join


def address(name, store):
    return f"{name}@{store.tenant.slug}.example.org"


@pytest.fixture
def run_due(store, monkeypatch):
    """Lets a week pass, and asks for what is due."""

    def run(weeks=1):
        real = clock.now
        with monkeypatch.context() as patch:
            patch.setattr("tenants.reports.due.now", lambda: real() + timedelta(days=7 * weeks))
            return due.request_due(store.tenant)

    return run


def create(store, creator, **changes):
    """Creates a schedule as a person, with the rights that they have now."""
    principal = due.present_principal(f"person:{creator}", store.tenant)
    body = SchedulePost.model_validate({**WEEKLY, **changes})
    with tenant_session(store.tenant, actor=principal.actor, reach=principal.reach) as session:
        return schedules.create(session, principal, body).id


def run_again(store):
    query = (
        "UPDATE node.jobs SET state = 'queued', run_after = now() WHERE tenant_role = :role AND kind = 'reports.make'"
    )
    with node_session(store.tenant.database) as session:
        session.execute(text(query), {"role": store.tenant.role_name})


def acts(store, *actions):
    query = "SELECT action, detail FROM audit_events WHERE action = ANY(%s) ORDER BY occurred_at"
    with store.session() as session:
        return session.cursor().execute(query, (list(actions),)).fetchall()


def test_a_link_goes_once_to_each_recipient_who_may_read_the_file_then(box, api, store, people, join, run_due):
    store.facility("FAC2")
    officer, viewer, elsewhere = join("officer"), join("viewer", "viewer"), join("elsewhere", facilities=["FAC2"])
    gone = join("gone")
    with platform_session() as session:
        session.execute(text("UPDATE platform.people SET language = 'fr' WHERE id = :id"), {"id": officer})
    named = [str(person) for person in (officer, viewer, elsewhere, gone)]
    answer = api.post("/v1/reports/schedules", json={**WEEKLY, "recipient_ids": named})
    assert (answer.status_code, answer.json()["recipient_ids"]) == (201, named), answer.text
    accounts.deactivate(gone, actor="test:1")
    assert run_due() == 1
    drain(store.tenant)
    (letter,) = box.letters
    assert letter["To"] == address("officer", store)
    assert "un nouveau rapport est prêt" in letter["Subject"]
    content = letter.get_content()
    assert "https://iit.example.org/reports" in content
    assert not any(word in content for word in ("officer", "FAC1", *map(str, people.values())))
    skipped = {UUID(facts["person"]): facts["why"] for _act, facts in acts(store, "job:report_file:skip")}
    assert skipped == {viewer: "permission", elsewhere: "reach", gone: "left"}
    run_again(store)
    drain(store.tenant)
    assert len(box.letters) == 1


def test_only_people_of_the_tenant_can_be_recipients(api, join, make_tenant):
    other = make_tenant()
    stranger = members.add_member(other.ref, "a@example.org", "A", members.Grant(["viewer"]), actor="test:1")
    answer = api.post("/v1/reports/schedules", json={**WEEKLY, "recipient_ids": [str(join("a")), str(stranger)]})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.recipient_ids.1")


def test_a_schedule_asks_for_less_when_its_creator_reaches_less(api, store, people, join, run_due):
    store.facility("FAC2")
    creator = join("creator")
    schedule = create(store, creator)
    grant = members.Grant(["data_officer"], ["FAC2"])
    members.change_member(store.tenant, creator, grant, actor="test:1")
    assert run_due() == 1
    drain(store.tenant)
    (report,) = api.get("/v1/reports/files").json()["items"]
    assert len(api.get(f"/v1/reports/files/{report['id']}/content").text.splitlines()) == 1
    members.change_member(store.tenant, creator, members.Grant(["data_officer"]), actor="test:1")
    assert api.get(f"/v1/reports/schedules/{schedule}").json()["stopped_at"] is None


def test_a_schedule_stops_when_its_creator_lost_the_right_to_it(api, owner, store, people, join, run_due):
    store.facility("FAC2")
    creators = {why: join(why) for why in ("creator", "permission", "reach", "assigned")}
    ids = {why: create(store, creator, facility="FAC1") for why, creator in creators.items()}
    key = keys.create_key(owner.ref, name="schedules")
    with KeyedClient(api.app, headers={"Authorization": f"Bearer {key.plaintext}"}) as client:
        ids["key"] = UUID(client.post("/v1/reports/schedules", json=WEEKLY).json()["id"])
    accounts.deactivate(creators["creator"], actor="test:1")
    members.change_member(store.tenant, creators["permission"], members.Grant(["viewer"]), actor="test:1")
    members.change_member(store.tenant, creators["reach"], members.Grant(["data_officer"], ["FAC2"]), actor="test:1")
    assigned_only = members.Grant(["data_officer"], assigned_only=True)
    members.change_member(store.tenant, creators["assigned"], assigned_only, actor="test:1")
    keys.revoke_key(owner.ref, str(key.id))
    assert [run_due(), run_due(2)] == [0, 0]
    reasons = {"key": "creator", "assigned": "reach"}
    for why, schedule in ids.items():
        state = api.get(f"/v1/reports/schedules/{schedule}").json()
        assert (state["stopped_why"], state["stopped_at"] is None) == (reasons.get(why, why), False)
    stops = acts(store, "report:schedule:stop")
    assert sorted(detail["why"] for _act, detail in stops) == ["creator", "creator", "permission", "reach", "reach"]


def test_a_list_that_outgrows_paper_stops_its_schedule_and_tells_its_creator_once(
    box, api, store, people, join, run_due, monkeypatch
):
    creator = join("creator")
    with platform_session() as session:
        session.execute(text("UPDATE platform.people SET language = 'fr' WHERE id = :id"), {"id": creator})
    monkeypatch.setattr(making, "MOST_PEOPLE", len(people))
    ids = {form: create(store, creator, format=form) for form in ("pdf", "csv")}
    monkeypatch.setattr(making, "MOST_PEOPLE", len(people) - 1)
    assert [run_due(), run_due(2)] == [1, 1]
    state = api.get(f"/v1/reports/schedules/{ids['pdf']}").json()
    assert (state["stopped_why"], state["stopped_at"] is None) == ("length", False)
    assert api.get(f"/v1/reports/schedules/{ids['csv']}").json()["stopped_at"] is None
    drain(store.tenant)
    (letter,) = box.letters
    assert letter["To"] == address("creator", store)
    assert "Excel ou CSV" in " ".join(letter.get_content().split())
    assert "https://iit.example.org/reports" in letter.get_content()
    assert acts(store, "job:report_schedule:mail") == [("job:report_schedule:mail", {"person": str(creator)})]
    assert {report["format"] for report in api.get("/v1/reports/files").json()["items"]} == {"csv"}


def test_a_schedule_that_stopped_tells_nobody_who_has_left(box, store, people, join, run_due):
    gone, ended, lowered = (join(name) for name in ("gone", "ended", "lowered"))
    left = [create(store, creator) for creator in (gone, ended, lowered)]
    for creator in (ended, lowered):
        members.change_member(store.tenant, creator, members.Grant(["viewer"]), actor="test:1")
    accounts.deactivate(gone, actor="test:1")
    assert run_due() == 0
    accounts.deactivate(ended, actor="test:1")
    with store.session() as session:
        schedules.delete(session, due.files.needed("line-list", identifiers=False), left[0])
    drain(store.tenant)
    assert [letter["To"] for letter in box.letters] == [address("lowered", store)]


@pytest.mark.parametrize(
    ("every", "on_day", "after", "moment"),
    [
        ("week", 1, "2026-11-29T10:00", "2026-11-30T05:00"),
        ("week", 7, "2026-11-29T04:00", "2026-11-29T05:00"),
        ("week", 7, "2026-11-29T05:00", "2026-12-06T05:00"),
        ("month", 5, "2026-12-31T23:30", "2027-01-05T05:00"),
        ("month", 28, "2026-02-27T10:00", "2026-02-28T05:00"),
    ],
)
def test_the_next_moment_is_by_the_clock_of_the_tenant(every, on_day, after, moment):
    begins = datetime.fromisoformat(after).replace(tzinfo=UTC)
    following = schedules.next_moment(every, on_day, 6, begins, "Africa/Lagos")  # an hour before UTC
    assert following == datetime.fromisoformat(moment).replace(tzinfo=UTC)
