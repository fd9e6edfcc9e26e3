"""Sessions: what ends one, and what holds from the next request."""

from datetime import timedelta
from uuid import UUID

import pytest

from core.clock import frozen, now
from core.errors import Forbidden, NotFound, Unauthenticated
from core.identity.people import accounts, links, members, sessions
from core.identity.people.members import Grant
from core.identity.people.sessions import KIND
from core.identity.roles import permissions_of_role
from tests.core.identity.people.conftest import PASSWORD


def test_a_session_says_who_for_which_tenant_with_which_roles_and_scope(tenant, add_person, begin):
    person_id, email = add_person("tracking_officer", states=["Lagos"], assigned_only=True)
    identified = KIND.verify(begin(email).secret)
    principal = identified.principal
    assert identified.tenant == tenant
    assert (principal.kind, principal.id, principal.roles) == ("person", str(person_id), {"tracking_officer"})
    assert principal.permissions == permissions_of_role("tracking_officer")
    assert (principal.facility_ids, principal.states, principal.assigned_to) == (None, {"Lagos"}, person_id)


def test_a_changed_role_holds_from_the_next_request(tenant, add_person, begin):
    person_id, email = add_person("data_officer")
    secret = begin(email).secret
    before = KIND.verify(secret).principal
    members.change_member(tenant, person_id, Grant(["viewer"]), actor="test:1")
    assert KIND.verify(secret).principal.permissions == permissions_of_role("viewer")
    with pytest.raises(Forbidden):
        KIND.confirm(before)


def test_a_changed_reach_holds_from_the_next_request(tenant, add_person, begin):
    person_id, email = add_person("case_manager")
    secret = begin(email).secret
    before = KIND.verify(secret).principal
    members.change_member(tenant, person_id, Grant(["case_manager"], assigned_only=True), actor="test:1")
    assert KIND.verify(secret).principal.reach.assigned_to == person_id
    with pytest.raises(Forbidden):
        KIND.confirm(before)


def test_a_removed_person_loses_sessions_and_keys_at_once(tenant, add_person, begin):
    from core.identity.keys import create_key, verify_key

    person_id, email = add_person("data_officer")
    secret = begin(email).secret
    key = create_key(tenant, name="own", actor=f"person:{person_id}").plaintext
    members.remove_member(tenant, person_id, actor="test:1")
    for rejected in (lambda: KIND.verify(secret), lambda: verify_key(key)):
        with pytest.raises(Unauthenticated):
            rejected()


def test_an_unknown_secret_counts_as_a_guess_and_that_of_an_ended_session_does_not(tenant, add_person, begin):
    person_id, email = add_person("viewer")
    ended = begin(email)
    sessions.end(ended.id, person_id)
    counts = {}
    for name, secret in {"ended": ended.secret, "guessed": f"iits_{'0' * 64}"}.items():
        with pytest.raises(Unauthenticated) as raised:
            KIND.verify(secret)
        counts[name] = KIND.counts_as_guess(raised.value)
        assert raised.value.detail == "the session has ended", "the answer does not say which of the two it is"
    assert counts == {"ended": False, "guessed": True}


@pytest.mark.parametrize(("passed", "ends"), [(timedelta(minutes=59), False), (timedelta(minutes=61), True)])
def test_an_idle_session_ends(add_person, begin, passed, ends):
    secret = begin(add_person()[1]).secret
    with frozen(now() + passed):
        if ends:
            with pytest.raises(Unauthenticated):
                KIND.verify(secret)
        else:
            KIND.verify(secret)


def test_a_session_in_use_ends_after_its_hours(add_person, begin):
    start, secret = now(), begin(add_person()[1]).secret
    for minutes in range(50, 12 * 60, 50):
        with frozen(start + timedelta(minutes=minutes)):
            KIND.verify(secret)
    with frozen(start + timedelta(hours=12, minutes=1)), pytest.raises(Unauthenticated):
        KIND.verify(secret)


def test_a_person_ends_their_own_sessions_and_nobody_elses(add_person, begin):
    first, email = add_person()
    second, _ = add_person()
    started = begin(email)
    with pytest.raises(NotFound):
        sessions.end(started.id, second)
    sessions.end(started.id, first)
    with pytest.raises(Unauthenticated):
        KIND.verify(started.secret)
    assert sessions.list_sessions(first) == []


def test_a_switch_of_tenant_rotates_the_secret_and_needs_a_membership(two_tenants, add_person, begin):
    ours, theirs = two_tenants
    person_id, email = add_person("viewer", of=ours)
    started = begin(email)
    with pytest.raises(NotFound):
        sessions.switch(started.id, person_id, theirs.id, "")
    members.add_member(theirs, email, "Person", Grant(["data_officer"]), actor="test:1")
    with pytest.raises(NotFound):
        sessions.switch(started.id, person_id, theirs.id, "")
    link = links.create_link(person_id, links.INVITATION, actor="test:1", tenant_id=theirs.id)
    links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
    switched = sessions.switch(started.id, person_id, theirs.id, "")
    with pytest.raises(Unauthenticated):
        KIND.verify(started.secret)
    identified = KIND.verify(switched.secret)
    assert (identified.tenant, identified.principal.roles) == (theirs, {"data_officer"})


def test_a_suspended_tenant_lets_nobody_in(add_person, begin, tenant):
    from core.tenancy import suspend_tenant

    _, email = add_person()
    secret = begin(email).secret
    suspend_tenant(tenant.slug)
    with pytest.raises(Forbidden):
        KIND.verify(secret)
    with pytest.raises(Forbidden):
        begin(email)


def test_an_operator_has_no_tenant_and_no_permission_of_one(add_person, begin):
    person_id = accounts.add_operator("operator@example.org", "Operator", "platform_admin", actor="test:1")
    links.use_link(
        links.create_link(person_id, links.INVITATION, actor="test:1").path.removeprefix(links.PATH),
        PASSWORD,
    )
    identified = KIND.verify(begin("operator@example.org").secret)
    assert identified.tenant is None
    assert identified.principal.kind == "operator"
    assert not identified.principal.permissions & permissions_of_role("partner_admin")


def test_the_secret_is_stored_nowhere(add_person, begin, database):
    from sqlalchemy import text

    from core.database import platform_session

    started = begin(add_person()[1])
    with platform_session() as session:
        row = session.execute(
            text("SELECT s::text FROM platform.sessions s WHERE id = :id"), {"id": started.id}
        ).scalar_one()
    assert started.secret.removeprefix("iits_") not in row
    assert isinstance(started.id, UUID)
