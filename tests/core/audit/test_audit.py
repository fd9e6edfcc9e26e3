"""The audit: in the transaction of the act, added to and never changed, one tenant's own."""

from uuid import uuid4

import pytest
from psycopg.errors import NotNullViolation

from core import audit
from core.audit.repository import find_events, find_looks
from core.audit.service import GRAMMAR, declared_actions
from core.database import TenantSession, owner_session
from core.web.cursors import Sort
from core.web.paging import PageRequest


def rows(session):
    return (
        session.cursor()
        .execute(
            "SELECT actor, action, subject_type, subject_uuid, request_id, detail FROM audit_events ORDER BY event_id"
        )
        .fetchall()
    )


def test_an_event_says_who_did_what_to_which_subject_in_which_request(tenant, open_session):
    subject = uuid4()
    with open_session(tenant, actor="api_key:7", request_id="r-1") as session:
        audit.record(session, "api:audit:read", "patient", subject, {"fields": ["phone"]})
    with open_session(tenant) as session:
        assert rows(session) == [("api_key:7", "api:audit:read", "patient", subject, "r-1", {"fields": ["phone"]})]


def test_an_act_that_is_rolled_back_leaves_no_event(tenant, open_session):
    def act():
        with open_session(tenant) as session:
            audit.record(session, "api:audit:read", "patient", uuid4())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act()
    with open_session(tenant) as session:
        assert rows(session) == []


def test_an_act_within_a_savepoint_that_is_rolled_back_leaves_no_event(tenant, open_session):
    def act(session):
        with session.begin_nested():
            audit.record(session, "api:audit:read", "patient", uuid4())
            raise ZeroDivisionError

    subject = uuid4()
    with open_session(tenant) as session:
        audit.record(session, "api:audit:read", "patient", subject)
        with pytest.raises(ZeroDivisionError):
            act(session)
    with open_session(tenant) as session:
        assert [row[3] for row in rows(session)] == [subject]


def test_an_event_that_cannot_be_written_takes_the_act_with_it(tenant, open_session):
    def act():
        with open_session(tenant) as session:
            session.cursor().execute(
                "INSERT INTO tenant_settings (key, value, updated_at, updated_by) VALUES ('x', '{}', now(), 'test:1')"
            )
            session.at_commit("INSERT INTO audit_events (actor) VALUES (%s)", ("api_key:7",))

    with pytest.raises(NotNullViolation):
        act()
    with open_session(tenant) as session:
        assert session.cursor().execute("SELECT count(*) FROM tenant_settings WHERE key = 'x'").fetchall() == [(0,)]
        assert rows(session) == []


def test_a_list_that_was_read_is_one_event_per_subject(tenant, open_session):
    subjects = [uuid4() for _ in range(300)]
    with open_session(tenant) as session:
        assert audit.record_many(session, "api:audit:read", "patient", iter(subjects)) == 300
        assert audit.record_many(session, "api:audit:read", "patient", []) == 0
    with open_session(tenant) as session:
        assert [row[3] for row in rows(session)] == subjects


class TestLooks:
    """One look at many records is one line; its events may lie between those of others."""

    def looks(self, session, limit=50, **filters):
        pages, before = [], None
        while True:
            page = find_looks(session, before=before, limit=limit, **filters)
            pages += [(look.action, look.request_id, look.events) for look in page]
            if len(page) < limit:
                return pages
            before = page[-1].event_id

    @pytest.fixture
    def acts(self, tenant, open_session):
        """Two looks whose events alternate, at 4 and 3 patients, before and after a single act each."""
        subjects = [uuid4() for _ in range(4)]
        with open_session(tenant, request_id="r-0") as session:
            audit.record(session, "api:audit:read", "audit", None)
        with (
            open_session(tenant, request_id="r-1") as first,
            open_session(tenant, request_id="r-2") as second,
        ):
            for subject in subjects[:3]:
                for session in (first, second):
                    session.cursor().execute(_INSERT, (session.actor, session.request_id, subject))
            first.cursor().execute(_INSERT, (first.actor, "r-1", subjects[3]))
        with open_session(tenant, request_id="r-3") as session:
            audit.record(session, "api:audit:read", "audit", None)
        return subjects

    @pytest.mark.parametrize("limit", [1, 2, 3, 50])
    def test_each_look_is_one_line_on_whichever_page(self, tenant, open_session, acts, limit):
        with open_session(tenant) as session:
            assert self.looks(session, limit) == [
                ("api:audit:read", "r-3", 1),
                ("followup:today:read", "r-1", 4),
                ("followup:today:read", "r-2", 3),
                ("api:audit:read", "r-0", 1),
            ]

    def test_filters_choose_looks_and_a_look_opens_to_its_events(self, tenant, open_session, acts):
        with open_session(tenant) as session:
            assert self.looks(session, subject_id=acts[0]) == [
                ("followup:today:read", "r-2", 3),
                ("followup:today:read", "r-1", 4),
            ]
            assert len(self.looks(session, actions=["api:audit:read"])) == 2
            assert self.looks(session, actor="nobody") == []
            (look,) = find_looks(session, before=None, limit=1, subject_id=acts[3])
            paging = PageRequest(sort=Sort.parse("-id"), keyed=True)
            nothing = dict.fromkeys(("subject_id", "action", "since", "until"))
            part = find_events(session, paging, look=look.event_id, **nothing)
            assert {event.subject_uuid for event in part.rows} == set(acts)
            assert find_events(session, paging, look=10**9, **nothing).total == 0


_INSERT = (
    "INSERT INTO audit_events (actor, action, subject_type, request_id, subject_uuid)"
    " VALUES (%s, 'followup:today:read', 'patient', %s, %s)"
)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events", "TRUNCATE audit_events"]
)
def test_the_tenants_role_can_neither_change_nor_remove_events(tenant, open_session, statement):
    import psycopg

    with pytest.raises(psycopg.errors.InsufficientPrivilege), open_session(tenant) as session:
        session.cursor().execute(statement)


def test_an_action_that_no_feature_declares_is_rejected(session):
    with pytest.raises(LookupError, match=r"feature\.py"):
        audit.record(session, "api:patient:stolen", "patient", uuid4())
    with pytest.raises(LookupError, match=r"feature\.py"):
        audit.record_many(session, "api:patient:stolen", "patient", [uuid4()])


def test_every_declared_action_has_the_grammar():
    assert declared_actions()
    assert all(GRAMMAR.fullmatch(action) for action in declared_actions())


class TestRoute:
    def test_the_newest_event_is_first_and_pages_add_up(self, toy_api, owner, open_session):
        subjects = [uuid4() for _ in range(5)]
        with open_session(owner.ref) as session:
            audit.record_many(session, "api:audit:read", "patient", subjects)
        first = toy_api.get("/v1/audit", params={"page_size": 3}).json()
        assert [item["subject_id"] for item in first["items"]] == [str(s) for s in reversed(subjects[2:])]
        assert (first["page"], first["page_size"], first["total"]) == (1, 3, 5)

    def test_filters_are_by_subject_action_and_time(self, toy_api, owner, open_session):
        subject = uuid4()
        with open_session(owner.ref) as session:
            audit.record(session, "cli:api_key:create", "api_key", subject)
        assert toy_api.get("/v1/audit", params={"subject_id": str(subject)}).json()["total"] == 1
        assert toy_api.get("/v1/audit", params={"action": "cli:api_key:revoke"}).json()["total"] == 0
        assert toy_api.get("/v1/audit", params={"until": "2001-01-01T00:00:00Z"}).json()["total"] == 0
        assert toy_api.get("/v1/audit", params={"since": "2001-01-01T00:00:00Z"}).json()["total"] > 0

    def test_reading_the_audit_is_in_the_audit(self, toy_api):
        toy_api.get("/v1/audit")
        event = toy_api.get("/v1/audit").json()["items"][0]
        assert event["action"] == "api:audit:read"
        assert event["actor"].startswith("api_key:")
        assert event["request_id"]


def test_an_event_in_the_transaction_of_a_caller_is_written_with_it(tenant, open_session):
    subject = uuid4()
    with owner_session() as outer:
        within = TenantSession(outer.connection(), tenant, actor="cli:operator", as_owner=True)
        audit.record(within, "api:audit:read", "patient", subject)
        within.flush()
    with open_session(tenant) as session:
        assert [row[3] for row in rows(session)] == [subject]
