"""The language that people choose: stored with the account, and used on every device and in letters."""

import re

import pytest

from core.database import platform_session
from core.identity import csrf
from core.identity.people import members
from core.identity.people.account_rows import choose_language
from core.preferences import registry, service
from core.web.etag import ANY_VERSION
from tests.keyed import KeyedClient

TITLES = {"en": "Your account", "fr": "Votre compte", "pt": "A sua conta"}
ORIGIN = {"Origin": "http://testserver"}


@pytest.fixture
def device(application):
    """A browser of a session: ``device(session)``."""

    def open_(session, **headers):
        client = KeyedClient(application, headers=headers, follow_redirects=False)
        client.cookies.set("iit_session", session.secret)
        return client

    return open_


def language_of(client):
    return re.search(r'<html lang="(..)">', client.get("/me").text)[1]


def test_the_language_chosen_on_one_device_is_that_of_every_device(add_person, begin, device):
    person_id, email = add_person("viewer")
    phone, laptop = begin(email), device(begin(email), **{"Accept-Language": "pt"})
    mobile = device(phone)
    assert (language_of(mobile), language_of(laptop)) == ("en", "pt")
    form = {"language": "fr", "next": "/me", "csrf_token": csrf.token_of(phone.secret)}
    assert mobile.post("/language", data=form, headers=ORIGIN).status_code == 303
    assert language_of(laptop) == "fr"
    assert TITLES["fr"] in laptop.get("/me").text
    choose_language(person_id, None)
    assert language_of(laptop) == "pt"


def test_a_person_chooses_over_the_api_and_a_key_has_no_language(add_person, begin, device, api):
    session = begin(add_person("viewer")[1])
    client = device(session, **{csrf.HEADER: csrf.token_of(session.secret)})
    answer = client.put("/v1/me", json={"language": "pt"})
    assert (answer.status_code, answer.json()["language"]) == (200, "pt")
    assert client.get("/v1/me").json()["language"] == "pt"
    assert client.put("/v1/me", json={"language": "ha"}).status_code == 422
    assert client.put("/v1/me", json={"language": None}).json()["language"] is None
    assert api.put("/v1/me", json={"language": "fr"}).status_code == 403
    assert api.get("/v1/me").json()["language"] is None


def test_the_tenants_language_is_for_who_chose_none_and_whose_browser_asks_for_none(
    tenant, add_person, begin, device, open_session
):
    person_id, email = add_person("viewer")
    with open_session(tenant) as session:
        service.replace(session, registry.group("sign_in"), {"language": "pt"}, ANY_VERSION)
    assert language_of(device(begin(email))) == "pt"
    assert language_of(device(begin(email), **{"Accept-Language": "fr"})) == "fr"
    choose_language(person_id, "en")
    assert language_of(device(begin(email))) == "en"


def test_each_inviter_gives_a_language_and_the_first_accepted_one_stays(tenant, two_tenants):
    email = f"invited@{tenant.slug}.example.org"
    first, second = two_tenants
    for place, language in ((first, "fr"), (second, "pt")):
        grant = members.Grant(["viewer"])
        person_id = members.add_member(place, email, "Person", grant, actor="test:1", language=language)
        assert members.get_member(place, person_id).language == language
    with platform_session() as session:
        members.accept(session, person_id, second.id)
        members.accept(session, person_id, first.id)
    assert [members.get_member(place, person_id).language for place in two_tenants] == ["pt", "pt"]
