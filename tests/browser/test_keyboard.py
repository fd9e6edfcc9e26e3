"""The main task of each role, with a keyboard alone: the focus is seen, goes forward, and is never lost or trapped."""

import re
from uuid import uuid4

import pytest

from core.identity.people import links, members
from core.jobs.worker import drain
from tests.browser import people
from tests.browser.jobs import dead_job
from tests.browser.keyboard import Keyboard
from tests.browser.page_checks import DESKTOP, PHONE
from tests.browser.radet import ago, write_pair
from tests.keyed import KeyedClient
from tests.tenants.followup.scored import scored

NUMBER = "H17"
PASSWORD = "seven green bicycles in the rain"


@pytest.fixture(scope="module")
def partner(make_tenant, application, tmp_path_factory):
    """A partner with a scored day, an import of a RADET, and the file that comes next."""
    owner = make_tenant(name="Lakeside Care")
    before, dirty = write_pair(tmp_path_factory.mktemp("radet"))
    with KeyedClient(application, headers={"X-API-Key": owner.api_key}) as client:
        scored(owner.ref, client, at_risk=3, to_trace=1, clinics=1)
        sent = {"data_date": ago(30), "new_people": "true"}
        answer = client.post("/v1/imports", files={"files": ("before.csv", before.read_bytes())}, data=sent)
        assert answer.status_code == 202, answer.text
    drain(owner.ref)
    return owner.ref, dirty


@pytest.fixture
def keyboard(open_page, partner):
    """The keyboard of somebody who opens a page: ``keyboard("/data", "data_officer")``."""

    def begin(path, role="", size=DESKTOP):
        person = (
            people.add_operator(role) if role.startswith("platform") else role and people.add_person(partner[0], role)
        )
        session = people.session_of(person, None if role.startswith("platform") else partner[0]) if role else ""
        return Keyboard(open_page(path, size, session=session))

    return begin


def tracking_officer(keyboard, partner):
    """Signs in after a wrong password, reads why, records, undoes, and goes to the next person."""
    email = f"{uuid4().hex[:8]}@example.org"
    person = members.add_member(partner[0], email, "Tola Tracker", members.Grant(["tracking_officer"]), actor="test:1")
    link = links.create_link(person, links.INVITATION, actor="test:1", tenant_id=partner[0].id)
    links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
    keys = keyboard("/sign-in?next=/today", size=PHONE)
    keys.fill("E-mail address", email)
    keys.fill("Password", "wrong")
    keys.follow("^Sign in$")
    keys.page.get_by_role("alert").wait_for()
    assert "summary-of-errors" in keys.place
    keys.fill("^Password", PASSWORD)
    keys.follow("^Sign in$")
    keys.page.wait_for_url("**/today")
    first, second = keys.page.locator("article.card").get_by_role("heading").all_inner_texts()[:2]
    keys.press("What happened")
    keys.press("^Not reached$")
    keys.page.get_by_text(f"{first}: not reached. Saved.").wait_for()
    assert "done" in keys.place
    keys.follow("^Undo$")
    keys.page.get_by_role("heading", name=first).wait_for()
    keys.follow("^Skip to the content$")
    keys.press("What happened")
    keys.press("^Will come$")
    keys.page.get_by_text(f"{first}: will come. Saved.").wait_for()
    keys.go_to("^Undo$")
    keys.go_to(f"^{re.escape(second)}$")


def data_officer(keyboard, partner):
    """Uploads a file, after a form without one, and ends at the table of a period."""
    keys = keyboard("/data", "data_officer")
    keys.follow("^Upload files$")
    keys.page.wait_for_url("**/data/upload")
    keys.page.evaluate("document.querySelector('form.form').noValidate = true")
    keys.follow("^Upload$")
    keys.page.get_by_role("alert").wait_for()
    assert "summary-of-errors" in keys.place
    keys.choose_file("^Files", str(partner[1]))
    keys.follow("^Upload$")
    keys.page.wait_for_url("**/data/imports/*")
    drain(partner[0])
    keys.page.get_by_role("heading", name="What next").wait_for()
    keys.follow("^Indicators of")
    keys.page.wait_for_url("**/programme?period=*")
    keys.follow("^[1-9][0-9]* *On treatment")
    keys.page.wait_for_url("**/programme/people?*")
    assert keys.page.locator("tbody tr").count() > 1


def clinician(keyboard, partner):
    """Finds a patient and reads the record."""
    keys = keyboard("/patients", "clinician")
    assert "input" in keys.place
    keys.page.keyboard.type(NUMBER)
    with keys.page.expect_navigation():
        keys.page.keyboard.press("Enter")
    keys.follow(f"^{NUMBER}$")
    keys.page.get_by_role("region", name="What happened").wait_for()


def partner_admin(keyboard, partner):
    """Invites a person, after a form that is not right, and revokes the link."""
    keys = keyboard("/admin", "partner_admin")
    keys.follow("^People$")
    keys.follow("^Add a person$")
    keys.page.wait_for_url("**/new")
    keys.fill("^Name$", "Nora New")
    keys.fill("^E-mail address", f"{uuid4().hex[:8]}@example")
    keys.press("^Viewer", " ")
    keys.follow("^Invite$")
    keys.page.get_by_role("alert").wait_for()
    assert "summary-of-errors" in keys.place
    keys.press("^Write the e-mail address")
    keys.page.keyboard.press("End")
    keys.page.keyboard.type(".org")
    keys.follow("^Invite$")
    keys.page.get_by_role("heading", name="A link for Nora New").wait_for()
    keys.follow("^Go to Nora New$")
    keys.follow("^Revoke links$")
    keys.page.get_by_text("The links of this person no longer work.").wait_for()


def platform_admin(keyboard, partner):
    """Finds a dead letter of a partner and retries its job."""
    dead_job(partner[0])
    keys = keyboard("/operators", "platform_admin")
    keys.follow("dead letters")
    keys.go_to("^Partner$")
    keys.page.keyboard.type(partner[0].slug)  # other tests have dead letters at the same time
    keys.follow("^Show$")
    keys.follow("^quality.link$")
    keys.follow("^Retry$")
    keys.page.get_by_text("The job waits for a worker again.").wait_for()


def viewer(keyboard, partner):
    """Reads a number of the programme, and narrows it to a clinic."""
    keys = keyboard("/programme", "viewer")
    keys.go_to("^Details of")
    keys.page.keyboard.type("Left")
    keys.follow("^Show$")
    keys.page.wait_for_url("**show=TX_ML**")
    keys.follow("^Clinic one$")
    keys.page.wait_for_url("**facility=abc123xyz**")
    keys.page.get_by_text("The numbers are of a part of the patients.").wait_for()


@pytest.mark.parametrize(
    "task",
    [tracking_officer, data_officer, clinician, partner_admin, platform_admin, viewer],
    ids=lambda task: task.__name__,
)
def test_each_role_does_its_main_task_by_keyboard(task, keyboard, partner):
    task(keyboard, partner)
