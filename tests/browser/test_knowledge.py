"""Guidelines in a browser: asked on a phone, read beside the answer, added by the data team, asked for a patient."""

import io
import re
from datetime import timedelta
from functools import partial

import pytest

from core.clock import today
from core.database import tenant_session
from core.jobs.worker import drain
from core.tenancy import settings as tenant_settings
from tenants.demo.guidelines import FOLDER
from tenants.knowledge import service
from tenants.knowledge.service import Draft
from tenants.knowledge.settings_answers import AnswerSettings
from tests.browser import people
from tests.browser.page_checks import DESKTOP, PHONE, assert_good
from tests.keyed import KeyedClient
from tests.tenants.knowledge.asking import ModelServer
from tests.tenants.knowledge.test_language_model import QUESTION, SAYS, citing

ROLES = ("tracking_officer", "case_manager", "data_officer")
ANSWERED = "When do we take a viral load after the restart of treatment?"
NAMES = ("returning-to-care.md", "viral-load.md")


@pytest.fixture(scope="module")
def partner(make_tenant, application):
    """A partner with two guidelines and a patient who stayed away: the tenant, its people by role, and the patient."""
    owner = make_tenant(name="Lakeside Care")
    opened = partial(tenant_session, owner.ref, actor="test:1")
    for name in NAMES:
        content = (FOLDER / "en" / name).read_bytes()
        service.receive(owner.ref, opened, io.BytesIO(content), Draft(name), source="page")
    drain(owner.ref)
    api = KeyedClient(application, headers={"X-API-Key": owner.api_key})
    api.post("/v1/facilities", json={"datim_id": "FAC001", "name": "Riverside Clinic"})
    body = {"facility": "FAC001", "given_name": "Amaka", "family_name": "Okoro", "birthdate": "1990-05-01"}
    patient = api.post("/v1/patients", json=body).headers["location"].rsplit("/", 1)[1]
    came = today("Africa/Lagos") - timedelta(days=122)
    visit = {"patient_id": patient, "date_started": came.isoformat(), "visit_type": "clinical"}
    assert api.post("/v1/visits", json=visit).status_code == 201
    secrets = {role: people.session_of(people.add_person(owner.ref, role), owner.ref) for role in ROLES}
    return owner.ref, secrets, patient


@pytest.fixture
def visit(open_page, partner):
    """Opens a page as a role: ``visit("/guidelines", "data_officer")``."""

    def begin(path, role="tracking_officer", size=PHONE, **options):
        return open_page(path, size, session=partner[1][role], **options)

    return begin


def ask(page, text):
    page.get_by_label("What do you want to know?").fill(text)
    page.get_by_role("button", name="Ask", exact=True).click()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_an_officer_asks_says_what_is_missing_and_reads_the_passage_in_its_guideline(visit, accessible, script):
    page = visit("/guidelines", java_script_enabled=script)
    ask(page, ANSWERED)
    page.get_by_role("heading", name="What our guidelines say").wait_for()
    assert page.url.endswith("/guidelines"), "no question is in an address"
    passage = page.locator("article.passage").first
    assert "Gap of more than 3 months" in passage.inner_text()
    assert passage.locator("mark").count() > 0
    if script:
        assert_good(page, accessible)
        page.get_by_label("Your remark").fill("The dose is not in it")
        page.get_by_role("button", name="Something is missing").click()
        page.get_by_text("Thank you. The data team sees it.").wait_for()
    passage.get_by_role("link", name="Read it in the guideline").click()
    page.wait_for_url(re.compile(r"/guidelines/documents/[0-9a-f-]+#passage-\d+$"))
    section = page.locator(":target")
    assert "Gap of more than 3 months" in section.inner_text()


def test_a_written_answer_takes_the_place_of_the_first_sentences(visit, accessible, partner, settings_of):
    with ModelServer(says=citing) as model:
        settings_of(language_model_url=model.url, language_model_name="small-1")
        with tenant_session(partner[0], actor="test:1") as session:
            tenant_settings.put(session, AnswerSettings(style="written", egress="local"))
        page = visit("/guidelines")
        ask(page, QUESTION)
        page.get_by_text("Written by a language model").wait_for()
        assert SAYS in page.locator("#answer-card").inner_text()
        assert page.locator("article.passage mark").count() > 0
        assert_good(page, accessible)
        with tenant_session(partner[0], actor="test:1") as session:
            tenant_settings.put(session, AnswerSettings())


def test_an_answer_that_is_not_there_says_what_was_looked_through(visit, accessible):
    page = visit("/guidelines")
    ask(page, "How do I reset my password?")
    page.get_by_role("heading", name="Not in your guidelines").wait_for()
    shown = page.locator("main").inner_text()
    assert "2 guidelines were looked through:" in shown
    assert "Viral load monitoring" in shown
    assert_good(page, accessible)


def test_a_table_of_a_guideline_fits_a_phone(visit, accessible):
    page = visit("/guidelines")
    page.get_by_role("link", name="Viral load monitoring").click()
    page.wait_for_url("**/guidelines/documents/*")
    assert page.locator("table").count() == 1
    assert_good(page, accessible)


def test_the_data_team_adds_a_guideline_and_settles_an_open_question(visit, accessible, partner):
    ask(visit("/guidelines"), "Who pays the transport of staff to the district meeting?")
    page = visit("/guidelines", "data_officer", DESKTOP)
    page.get_by_role("link", name="Documents").click()
    page.get_by_role("link", name="Add a guideline").click()
    accessible(page)
    content = b"# Transport\n\nThe programme pays the transport of staff to meetings of the district.\n"
    file = {"name": "transport.md", "mimeType": "text/markdown", "buffer": content}
    page.locator("[name=file]").set_input_files(file)
    page.get_by_role("button", name="Add it").click()
    page.get_by_text("The guideline is stored.").wait_for()
    page.get_by_text("Being read").wait_for()
    drain(partner[0])
    page.reload()
    page.get_by_role("article").filter(has_text="Transport").get_by_text("Searchable").wait_for()
    assert_good(page, accessible)
    page.set_viewport_size(DESKTOP)
    page.get_by_role("link", name="Open questions").click()
    card = page.get_by_role("article").filter(has_text="Who pays the transport of staff")
    assert_good(page, accessible)
    card.get_by_role("button", name="Settled").click()
    page.get_by_text("The question is settled.").wait_for()
    assert card.count() == 0


def test_a_manager_asks_for_a_patient_and_returns(visit, accessible, partner):
    address = f"/patients/{partner[2]}"
    page = visit(address, "case_manager")
    region = page.get_by_role("region", name="What do our guidelines say?")
    accessible(page)
    region.get_by_role("button", name="comes back after 4 months").click()
    page.locator("#answer").wait_for()
    shown = page.locator("main").inner_text()
    assert "last contact 4 months ago" in shown
    assert "Amaka" not in shown
    page.locator(".back").click()
    page.wait_for_url(f"**{address}")


def test_an_operator_sees_how_much_each_partner_asks(visit, open_page, accessible, partner):
    ask(visit("/guidelines"), "Who pays the transport of staff to the district meeting?")
    operator = people.session_of(people.add_operator("platform_admin"), None)
    page = open_page("/operators", DESKTOP, session=operator)
    page.get_by_role("link", name="Answers").click()
    row = page.get_by_role("row").filter(has=page.locator(f"a[href='/operators/tenants/{partner[0].slug}']"))
    assert int(row.locator("td").first.inner_text()) > 0
    assert_good(page, accessible)


@pytest.mark.parametrize("path", ["/guidelines", "/guidelines/upload", "/guidelines/sources"])
def test_pages_of_guidelines_are_accessible_and_fit_every_screen(visit, accessible, path):
    assert_good(visit(path, "data_officer"), accessible)
