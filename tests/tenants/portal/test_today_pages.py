"""The page of today's work, without a browser: beyond its last page, and in another language."""

import re

import pytest
from fastapi.testclient import TestClient

from core.database import platform_session
from core.identity.people import members, sessions
from tests.tenants.followup.scored import scored


@pytest.fixture
def reader(application, client_for, make_tenant):
    """A browser of a case manager whose partner has 23 people at risk at three clinics."""
    owner = make_tenant()
    scored(owner.ref, client_for(application, owner.api_key), at_risk=23, to_trace=1, clinics=3)
    email = f"c@{owner.ref.slug}.example.org"
    person = members.add_member(owner.ref, email, "Case", members.Grant(["case_manager"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, owner.ref.id)
        begun = sessions.begin(session, person, owner.ref.id, signed_in_by="password")
    client = TestClient(application)
    client.cookies.set("iit_session", begun.secret)
    return client


def cards(text):
    return len(re.findall(r'id="card-', text))


@pytest.mark.parametrize("page", [2, 3, 9_999])
def test_an_address_beyond_the_end_shows_the_last_page(reader, page):
    text = reader.get(f"/today?page={page}").text
    assert cards(text) == 3
    assert "Page 2" in text
    assert "Nobody is left" not in text


def test_an_empty_list_has_one_page(reader):
    text = reader.get("/today?facility=nowhere&page=4").text
    assert cards(text) == 0
    assert "Nobody is left on this list" in text


def test_all_clinics_can_be_chosen_from_the_page_of_one_and_in_french(reader):
    codes = re.findall(r'<option value="(T\w+)"', reader.get("/today").text)
    assert len(codes) == 3
    text = reader.get("/today", params={"facility": codes[0]}, headers={"Accept-Language": "fr"}).text
    assert re.findall(r'<option value="(T\w+)"', text) == codes
    assert "Toutes les cliniques" in text
    assert "All clinics" not in text
