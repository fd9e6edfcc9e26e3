"""The pages of models, without a browser: the champion, a comparison, a card as page and PDF, and the acts."""

import re

import pytest

from core.database import platform_session
from core.identity.people import members, sessions
from tenants.records.ids import new_uuid
from tests.keyed import KeyedClient
from tests.tenants.risk.made_models import champion_of, copy_of_champion, serve, small_model

HOME = "/programme/models"


@pytest.fixture(scope="module")
def partner(make_tenant):
    return make_tenant().ref


@pytest.fixture(scope="module")
def officer(application, partner):
    """A browser of a data officer."""
    person = members.add_member(
        partner, "models@example.org", "Officer", members.Grant(["data_officer"]), actor="test:1"
    )
    with platform_session() as session:
        members.accept(session, person, partner.id)
        begun = sessions.begin(session, person, partner.id, signed_in_by="password")
    client = KeyedClient(application)
    client.cookies.set("iit_session", begun.secret)
    return client


def post(client, path, form=None):
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/me").text)[1]
    return client.post(path, data={"csrf_token": token, **(form or {})}, headers={"Origin": "http://testserver"})


@pytest.fixture
def pair(partner):
    """A champion and a candidate: the version of the one, and the identifier of the other."""
    version = f"additive-{new_uuid().hex[-10:]}"
    serve(partner, small_model(partner, version))
    return version, copy_of_champion(partner, f"{version}-next")


def test_without_a_model_the_page_says_what_orders_people(application, make_tenant):
    empty = make_tenant().ref
    person = members.add_member(empty, "none@example.org", "Officer", members.Grant(["data_officer"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, empty.id)
        begun = sessions.begin(session, person, empty.id, signed_in_by="password")
    client = KeyedClient(application)
    client.cookies.set("iit_session", begun.secret)
    assert "No model was trained yet" in client.get(HOME).text


def test_the_page_shows_the_champion_and_links_every_card(officer, pair):
    text = officer.get(HOME).text
    assert pair[0] in text
    assert f'href="{HOME}/{pair[1]}"' in text
    assert "No model is compared with the champion" in text


def test_a_model_is_compared_promoted_and_rolled_back_from_its_page(officer, pair, partner):
    version, candidate = pair
    page = f"{HOME}/{candidate}"
    assert "The comparison begins" in post(officer, f"{page}/compare", {"kind": "shadow"}).text
    assert f"{version}-next scores beside {version}, at no effect." in officer.get(HOME).text
    assert "The comparison has ended" in post(officer, f"{page}/stop").text
    promoted = post(officer, f"{page}/promote", {"note": "reviewed by the team"}).text
    assert "It scores from the next scoring on." in promoted
    assert "reviewed by the team" in promoted
    assert champion_of(partner).uuid == candidate
    back = post(officer, f"{page}/roll-back", {"note": "too many calls"})
    assert "The former model serves again" in back.text
    assert champion_of(partner).version == version
    late = post(officer, f"{page}/roll-back")
    assert late.status_code == 409
    assert "Another model serves meanwhile" in late.text


def test_a_model_that_failed_its_gates_has_no_button_and_no_promotion(officer, pair, partner):
    gates = {"passed": False, "performance": {"passed": False, "why": "no better than the rule"}}
    bad = copy_of_champion(partner, f"{pair[0]}-bad", gates=gates)
    shown = officer.get(f"{HOME}/{bad}").text
    assert "no better than the rule" in shown
    assert ">Promote<" not in shown
    rejected = post(officer, f"{HOME}/{bad}/promote")
    assert rejected.status_code == 409
    assert "did not pass its gates" in rejected.text


def test_the_card_is_a_page_and_a_pdf(officer, pair):
    shown = officer.get(f"{HOME}/{pair[1]}").text
    assert "Fingerprint of the model" in shown
    assert "It says who, not why." in shown
    answer = officer.get(f"{HOME}/{pair[1]}/card.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF")
    assert answer.headers["content-disposition"] == f'attachment; filename="model-{pair[0]}-next.pdf"'


def test_approvals_and_retirements_are_in_the_history(officer, pair):
    page = f"{HOME}/{pair[1]}"
    assert "Your approval is recorded." in post(officer, f"{page}/approve", {"note": "read it"}).text
    text = post(officer, f"{page}/retire", {"note": "no longer needed"}).text
    assert "The model is retired." in text
    assert "read it" in text
    assert "no longer needed" in text
