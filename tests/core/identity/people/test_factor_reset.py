"""An admin removes the second factor of a person who lost it: the guards, the end of sessions, and the letter."""

import pytest

from core.errors import Forbidden, NotFound, Unauthenticated
from core.identity import csrf
from core.identity.people import administration, links, members, second_factor
from core.identity.people.account_rows import choose_language
from core.identity.people.sessions import KIND
from core.identity.people.sign_in import complete_with_code
from core.jobs.worker import drain
from core.tenancy import suspend_tenant
from tests.core.identity.people.conftest import PASSWORD
from tests.keyed import KeyedClient

ORIGIN = {"Origin": "http://testserver"}


class Caller:
    """Who asks, as the routes know them."""

    request_id = "test"

    def __init__(self, session):
        identified = KIND.verify(session.secret)
        self.principal, self.tenant = identified.principal, identified.tenant


@pytest.fixture
def admin(add_person, begin):
    return Caller(begin(add_person("partner_admin")[1]))


@pytest.fixture
def lost(add_person, set_up, begin):
    """A viewer with a second factor and a session: id, address, session."""
    person_id, email = add_person("viewer")
    phone = set_up(person_id, email)
    return person_id, email, complete_with_code(begin(email).secret, phone.code(), address="192.0.2.1")


def test_the_page_resets_it_ends_the_sessions_and_a_letter_tells_in_the_persons_language(
    application, add_person, begin, lost, box, tenant
):
    person_id, email, session = lost
    choose_language(person_id, "fr")
    mine = begin(add_person("partner_admin")[1])
    browser = KeyedClient(application, headers=ORIGIN, follow_redirects=False)
    browser.cookies.set("iit_session", mine.secret)
    page = f"/admin/people/{person_id}"
    assert f"{page}/reset-second-factor" in browser.get(page).text
    form = {"csrf_token": csrf.token_of(mine.secret)}
    done = browser.post(f"{page}/reset-second-factor", data=form)
    assert (done.status_code, done.headers["location"]) == (303, f"{page}?done=factor")
    assert "reset-second-factor" not in browser.get(page).text
    with pytest.raises(Unauthenticated):
        KIND.verify(session.secret)
    drain(tenant)
    (letter,) = box.letters
    assert (letter["To"], letter["Content-Language"]) == (email, "fr")
    assert letter["Subject"] == f"Votre second facteur pour {tenant.name} a été retiré"
    assert browser.post(f"{page}/reset-second-factor", data=form).status_code == 404


def test_the_api_says_whether_there_is_one(admin, lost):
    assert members.get_member(admin.tenant, lost[0]).second_factor
    administration.reset_second_factor(admin, lost[0])
    assert not members.get_member(admin.tenant, lost[0]).second_factor


def test_nobody_removes_their_own_without_password_and_code_be_it_by_an_api_key_of_theirs(
    admin, set_up, add_person, begin
):
    person_id, email = add_person("partner_admin")
    phone = set_up(person_id, email)
    own = Caller(complete_with_code(begin(email).secret, phone.code(), address="192.0.2.1"))
    with pytest.raises(Forbidden, match="your own"):
        administration.reset_second_factor(own, person_id)
    assert second_factor.state_of(person_id).since is not None


def test_the_other_tenant_of_a_person_keeps_its_factor_even_while_it_is_suspended(admin, lost, make_tenant):
    other = make_tenant().ref
    members.add_member(other, lost[1], "Person", members.Grant(["viewer"]), actor="test:1")
    link = links.create_link(lost[0], links.INVITATION, actor="test:1", tenant_id=other.id)
    links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
    suspend_tenant(other.slug)
    with pytest.raises(Forbidden, match="other tenants"):
        administration.reset_second_factor(admin, lost[0])
    with pytest.raises(Forbidden, match="other tenants"):
        administration.make_link(admin, lost[0])
    assert second_factor.state_of(lost[0]).since is not None


def test_who_has_none_is_not_found(admin, add_person):
    with pytest.raises(NotFound):
        administration.reset_second_factor(admin, add_person("viewer")[0])
