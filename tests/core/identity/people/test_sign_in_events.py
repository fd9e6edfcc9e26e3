"""What happened to an account: in the audits of its tenants, or the platform's, and on the page of its person."""

from threading import Event
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import select

from core.audit.models import AuditEvent
from core.audit.platform import acts
from core.database import platform_session, tenant_session
from core.errors import Unauthenticated
from core.identity.people import accounts, factor_reset, links, members, sessions, sign_in_events
from core.identity.people.sign_in import complete_with_code, sign_in
from tests.core.identity.people.conftest import PASSWORD


def audited(tenant, person_id):
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        query = select(AuditEvent).where(AuditEvent.subject_uuid == person_id).order_by(AuditEvent.event_id)
        return list(session.exec(query).all())


def actions(tenant, person_id):
    return [event.action for event in audited(tenant, person_id)]


def copy_all():
    sign_in_events.copy_all(Event())


def test_signing_in_and_out_and_ending_a_session_are_in_the_audit_at_once(tenant, add_person, begin):
    person_id, email = add_person()
    first, second = begin(email), begin(email)
    sessions.end(first.id, person_id)
    sessions.end(second.id, person_id, action="page:person:sign_out")
    rows = audited(tenant, person_id)[-4:]
    assert [row.action for row in rows] == [
        "page:person:sign_in",
        "page:person:sign_in",
        "page:person:end_session",
        "page:person:sign_out",
    ]
    assert {row.actor for row in rows} == {f"person:{person_id}"}
    assert rows[2].detail["session"] == str(first.id)


def test_a_failure_is_copied_within_seconds_to_every_tenant_of_a_known_person_without_what_was_typed(
    two_tenants, add_person, begin
):
    first, second = two_tenants
    person_id, email = add_person(of=first)
    members.add_member(second, email, "Person", members.Grant(["viewer"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person_id, second.id)
    with pytest.raises(Unauthenticated):
        begin(email, "a wrong password")
    assert "page:person:sign_in_fail" not in actions(first, person_id)
    copy_all()
    for tenant in (first, second):
        event = audited(tenant, person_id)[-1]
        assert (event.action, event.actor) == ("page:person:sign_in_fail", "system:sign_in")
        assert set(event.detail) == {"event", "at"}
    copy_all()
    assert actions(first, person_id).count("page:person:sign_in_fail") == 1


def test_events_that_fail_keep_back_no_other(tenant, add_person, begin, monkeypatch):
    for _ in range(2):
        _, email = add_person()
        with pytest.raises(Unauthenticated):
            begin(email, "a wrong password")
    copy, tried = sign_in_events._try_copy, []
    monkeypatch.setattr(sign_in_events, "_BATCH", 1)
    monkeypatch.setattr(sign_in_events, "_try_copy", tried.append)
    copy_all()
    assert len(tried) >= 2
    assert len(tried) == len(set(tried))
    for event_id in tried:
        copy(event_id)


def test_a_failure_of_an_unknown_person_leaves_nothing(tenant):
    device = uuid4().hex
    with pytest.raises(Unauthenticated):
        sign_in(f"nobody-{uuid4().hex}@example.org", PASSWORD, address="192.0.2.1", device=device)
    with platform_session() as session:
        noted = text("SELECT count(*) FROM platform.sign_in_events WHERE device = :device")
        assert session.scalar(noted, {"device": device}) == 0


def test_links_passwords_and_the_second_factor_are_in_the_audit(tenant, add_person, begin, set_up):
    person_id, email = add_person()
    link = links.create_link(person_id, links.RESET, actor="cli:root", tenant_id=tenant.id, source="cli")
    links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
    phone = set_up(person_id, email)
    complete_with_code(begin(email).secret, phone.code(), address="192.0.2.1")
    factor_reset.reset(person_id, actor="person:admin", source="api")
    present = actions(tenant, person_id)
    for act in (
        "cli:person:link",
        "page:person:link_use",
        "page:person:password_set",
        "page:person:second_factor_set",
        "api:person:second_factor_reset",
    ):
        assert act in present
    assert audited(tenant, person_id)[-1].actor == "person:admin"


def test_a_switch_of_tenant_is_in_the_audit_of_the_new_one(two_tenants, add_person, begin):
    first, second = two_tenants
    person_id, email = add_person(of=first)
    members.add_member(second, email, "Person", members.Grant(["viewer"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person_id, second.id)
    sessions.switch(begin(email).id, person_id, second.id, "test")
    assert actions(second, person_id)[-1] == "page:person:switch_tenant"


def test_an_operators_sign_in_is_in_the_audit_of_the_platform(database):
    email = f"operator-{uuid4().hex[:8]}@example.org"
    person_id = accounts.add_operator(email, "Operator", "platform_admin", actor="test:1")
    with platform_session() as session:
        sessions.begin(session, person_id, None, signed_in_by="password")
    sign_in_events.copy_of(person_id)
    act = acts(limit=1)[0]
    assert (act["action"], act["detail"]["person"]) == ("page:person:sign_in", str(person_id))


def test_a_person_sees_their_last_sign_ins_and_failures_with_the_device(add_person, begin):
    person_id, email = add_person()
    begin(email)
    with pytest.raises(Unauthenticated):
        begin(email, "wrong")
    newest, before = sign_in_events.last_sign_ins(person_id)
    assert (newest.failed_at, newest.device) == ("password", "test")
    assert (before.failed_at, before.signed_in_by) == (None, "password")


def test_an_audit_that_is_away_stops_no_sign_out_and_gets_the_event_later(tenant, add_person, begin, monkeypatch):
    from core.errors import Unavailable

    person_id, email = add_person()
    started = begin(email)

    def away(*_args, **_options):
        detail = "the database is away"
        raise Unavailable(detail)

    with monkeypatch.context() as patch:
        patch.setattr(sign_in_events, "tenant_session", away)
        sessions.end(started.id, person_id, action="page:person:sign_out")
    assert sessions.list_sessions(person_id) == []
    assert "page:person:sign_out" not in actions(tenant, person_id)
    copy_all()
    assert actions(tenant, person_id)[-1] == "page:person:sign_out"
