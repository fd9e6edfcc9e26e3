"""The audit: in the transaction of the act, added to and never changed, one tenant's own."""

from uuid import uuid4

import pytest
from psycopg.errors import NotNullViolation

from core import audit
from core.audit.service import GRAMMAR, declared_actions
from core.database import TenantSession, owner_session


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
