"""One-time links: used one time, replaced by the next, good for their hours."""

from datetime import timedelta

import pytest

from core.clock import frozen, now
from core.errors import Invalid, NotFound, Unauthenticated
from core.identity.people import links
from core.identity.people.sessions import KIND
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


def test_a_refused_password_leaves_the_link_good(add_person):
    person_id, email = add_person()
    secret = secret_of(links.create_link(person_id, links.RESET, actor="test:1"))
    with pytest.raises(Invalid):
        links.use_link(secret, email)
    assert links.use_link(secret, NEW)
