"""One-time links: used one time, replaced by the next, good for their hours."""

from datetime import timedelta

import pytest

from core.clock import frozen, now
from core.errors import Invalid, NotFound, TooManyRequests, Unauthenticated
from core.identity.people import accounts, links, members, sessions, throttle
from core.identity.people.sessions import KIND
from core.identity.people.sign_in_events import last_sign_ins
from tests.core.identity.people.conftest import PASSWORD

NEW = "three quiet rivers and a lamp"


def secret_of(link):
    return link.path.removeprefix(links.PATH)


def test_a_link_is_used_one_time_and_ends_the_sessions(add_person, begin):
    person_id, email = add_person()
    started = begin(email)
    secret = secret_of(links.create_link(person_id, links.RESET, actor="test:1"))
    assert links.holder_of(secret).email == email
    links.use_link(secret, NEW)
    with pytest.raises(Unauthenticated):
        KIND.verify(started.secret)
    with pytest.raises(Unauthenticated):
        begin(email, PASSWORD)
    assert begin(email, NEW)
    with pytest.raises(NotFound):
        links.use_link(secret, NEW)


def test_a_newer_link_replaces_the_earlier(add_person):
    person_id, _ = add_person()
    first = secret_of(links.create_link(person_id, links.RESET, actor="test:1"))
    second = secret_of(links.create_link(person_id, links.RESET, actor="test:1"))
    with pytest.raises(NotFound):
        links.holder_of(first)
    assert links.holder_of(second)
    links.revoke_links(person_id)
    with pytest.raises(NotFound):
        links.holder_of(second)


@pytest.mark.parametrize(("purpose", "hours"), [(links.RESET, 1), (links.INVITATION, 72)])
def test_a_link_expires(add_person, purpose, hours):
    person_id, _ = add_person()
    secret = secret_of(links.create_link(person_id, purpose, actor="test:1"))
    with frozen(now() + timedelta(hours=hours, minutes=-1)):
        assert links.holder_of(secret)
    with frozen(now() + timedelta(hours=hours, minutes=1)), pytest.raises(NotFound):
        links.holder_of(secret)


def test_a_rejected_password_leaves_the_link_good(add_person):
    person_id, email = add_person()
    secret = secret_of(links.create_link(person_id, links.RESET, actor="test:1"))
    with pytest.raises(Invalid):
        links.use_link(secret, email)
    assert links.use_link(secret, NEW)


class TestTwoTenants:
    """Who invites an address first must not get what a second tenant gives to it."""

    @pytest.fixture
    def invite(self):
        def invite(tenant, email, role="viewer"):
            person_id = members.add_member(tenant, email, "Person", members.Grant([role]), actor="test:1")
            link = links.create_link(person_id, links.INVITATION, actor="test:1", tenant_id=tenant.id)
            return person_id, secret_of(link)

        return invite

    def test_the_password_that_a_first_inviter_chose_opens_nothing_of_the_second(self, two_tenants, invite, begin):
        ours, theirs = two_tenants
        person_id, first = invite(ours, "victim@example.org")
        links.use_link(first, NEW)
        invite(theirs, "victim@example.org", "partner_admin")
        started = begin("victim@example.org", NEW)
        assert started.tenant_id == ours.id
        assert [tenant["id"] for tenant in members.tenants_of(person_id)] == [ours.id]
        with pytest.raises(NotFound):
            sessions.switch(started.id, person_id, theirs.id, "")

    def test_of_two_open_invitations_each_accepts_its_own_alone(self, two_tenants, invite, begin):
        ours, theirs = two_tenants
        person_id, first = invite(ours, "open@example.org")
        _, second = invite(theirs, "open@example.org")
        links.use_link(first, NEW)
        assert [tenant["id"] for tenant in members.tenants_of(person_id)] == [ours.id]
        with pytest.raises(Invalid):
            links.use_link(second, PASSWORD)
        links.use_link(second, NEW)
        assert len(members.tenants_of(person_id)) == 2
        assert begin("open@example.org", NEW)

    def test_an_invitation_never_replaces_a_password(self, two_tenants, invite, add_person, begin):
        _, email = add_person(of=two_tenants[0])
        _, secret = invite(two_tenants[1], email)
        assert links.holder_of(secret).joins
        with pytest.raises(Invalid):
            links.use_link(secret, NEW)
        links.use_link(secret, PASSWORD)
        assert begin(email, PASSWORD)

    def test_who_invites_an_address_cannot_guess_its_password_by_the_link(self, two_tenants, invite, add_person, begin):
        person_id, email = add_person(of=two_tenants[0])
        _, secret = invite(two_tenants[1], email)
        for guess in range(throttle.FREE):
            with pytest.raises(Invalid):
                links.use_link(secret, f"{NEW} {guess}", address="192.0.2.66")
        with pytest.raises(TooManyRequests):
            links.use_link(secret, PASSWORD, address="192.0.2.66")
        with pytest.raises(TooManyRequests):
            begin(email, PASSWORD, address="192.0.2.66")
        assert {event.failed_at for event in last_sign_ins(person_id)} == {"password"}
        assert links.use_link(secret, PASSWORD, address="192.0.2.7").joins

    def test_a_reset_of_one_tenant_stops_working_when_the_person_joins_another(self, two_tenants, invite, add_person):
        ours, theirs = two_tenants
        person_id, email = add_person(of=ours)
        reset = secret_of(links.create_link(person_id, links.RESET, actor="test:1", tenant_id=ours.id))
        assert links.holder_of(reset)
        links.use_link(invite(theirs, email)[1], PASSWORD)
        with pytest.raises(NotFound):
            links.use_link(reset, NEW)

    def test_a_new_operator_chooses_a_password_whatever_the_account_had(self, tenant, add_person, begin):
        person_id, email = add_person()
        other, _ = add_person("partner_admin")
        members.remove_member(tenant, person_id, actor="test:1")
        assert other
        accounts.add_operator(email, "Operator", "platform_admin", actor="test:1")
        with pytest.raises(Unauthenticated):
            begin(email, PASSWORD)


def test_a_used_link_makes_the_other_resets_of_the_person_stop_working(tenant, add_person):
    person_id, _ = add_person()
    of_operator = secret_of(links.create_link(person_id, links.RESET, actor="test:1"))
    of_tenant = secret_of(links.create_link(person_id, links.RESET, actor="test:1", tenant_id=tenant.id))
    links.use_link(of_tenant, NEW)
    with pytest.raises(NotFound):
        links.use_link(of_operator, PASSWORD)
