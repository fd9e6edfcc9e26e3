"""Messages in a browser: a text is written, a patient consents, a message goes out, and its answer comes back."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from core.clock import today
from core.database import tenant_session
from core.jobs.worker import drain
from core.tenancy import settings as tenant_settings
from plugins.sdk import IncomingSms, Outcome
from tenants.messages import gateway, incoming
from tenants.messages.settings import MessageSettings
from tests.browser import people
from tests.browser.keyboard import Keyboard
from tests.browser.page_checks import DESKTOP, PHONE, assert_good
from tests.keyed import KeyedClient
from tests.tenants.messages.conftest import Prepared

GATEWAY = UUID("019c2253-7220-70a7-a610-b4172b5ebaa0")
ROLES = ("partner_admin", "case_manager")
MISSED = "{code_word}: we miss you. Call {phone}. Reply 1 if you come."
PAGES = (
    "/messages",
    "/messages/{unmatched}/patient",
    "/patients/{patient}/messages",
    "/admin/message-texts",
    "/admin/message-texts/new",
)


class Partner:
    """A partner that sends messages, with one text, its people by role, and its patients."""

    def __init__(self, owner, application):
        self.tenant = owner.ref
        self.api = KeyedClient(application, headers={"X-API-Key": owner.api_key})
        self.people = {role: people.add_person(owner.ref, role) for role in ROLES}
        self.clinic = f"T{uuid4().hex[:10]}"
        self.add("facilities", datim_id=self.clinic, name="Riverside Clinic")
        with tenant_session(self.tenant, actor="test:1") as session:
            settings = MessageSettings(
                active=True, gateway=GATEWAY, code_word="Sunrise", phone="0803 000 0000", first_hour=0, last_hour=24,
                free_weekdays=(), most_per_day=5,
            )  # fmt: skip
            tenant_settings.put(session, settings)
        self.add("message-templates", purpose="follow_up", language="en", body=MISSED)

    def add(self, path, **body):
        answer = self.api.post(f"/v1/{path}", json=body)
        assert answer.status_code == 201, answer.text
        return answer.headers.get("location", "").rsplit("/", 1)[-1]

    def patient(self, name):
        """A patient who is late; gives the id and the phone."""
        phone = f"+2348035{uuid4().int % 10**6:06d}"
        patient = self.add(
            "patients", facility=self.clinic, given_name=name, family_name="Okoro", phone=phone,
            art_start_date="2020-01-10",
        )  # fmt: skip
        day = today("Africa/Lagos")
        visit = {"date_started": str(day - timedelta(33)), "next_appointment": str(day - timedelta(5))}
        self.add("visits", patient_id=patient, **visit)
        return patient, phone

    def receive(self, phone, text):
        with tenant_session(self.tenant, actor="test:1") as session:
            incoming.take(session, GATEWAY, IncomingSms(phone, text, ""))


@pytest.fixture(scope="module")
def partner(make_tenant, application):
    return Partner(make_tenant(name="Lakeside Care"), application)


@pytest.fixture
def visit(open_page, partner):
    """Opens a page as a role: ``visit("/messages", "partner_admin")``."""

    def begin(path, role="case_manager", size=PHONE, **options):
        return open_page(path, size, session=people.session_of(partner.people[role], partner.tenant), **options)

    return begin


@pytest.fixture
def sent(monkeypatch):
    """What the gateway was asked to send: phone and text."""
    texts = []

    def prepare(_tenant, _gateway, message_id, *, to, text, report_url):
        def send():
            texts.append((to, text))
            return Outcome("sent", reference=str(message_id))

        return Prepared(send)

    monkeypatch.setattr(gateway, "prepare", prepare)
    return texts


@pytest.fixture(scope="module")
def things(partner):
    """A patient who writes what nobody understands, and a message of an unknown phone."""
    patient, phone = partner.patient("Amaka")
    partner.receive(phone, "perhaps tomorrow")
    partner.receive("+2348099000001", "it is me")
    waiting = partner.api.get("/v1/incoming-messages").json()
    return {"patient": patient, "unmatched": next(each["id"] for each in waiting if each["patient_id"] is None)}


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_messages_are_accessible_and_fit_every_screen(visit, accessible, things, path):
    assert_good(visit(path.format_map(things), "partner_admin"), accessible)


def test_a_text_that_tells_is_rejected_and_a_covert_one_is_saved_in_its_language(visit, accessible, partner):
    page = visit("/admin/message-texts", "partner_admin")
    page.get_by_role("link", name="Write a text").click()
    page.get_by_label("For", exact=True).select_option("Messages after a missed contact")
    page.get_by_label("Language").select_option("Français")
    field = page.get_by_label("Text", exact=True)
    field.fill("Riverside Clinic : venez prendre vos ARV")
    page.get_by_role("button", name="Preview").click()
    warning = page.get_by_role("region", name="Preview").get_by_text("Somebody who reads it would learn too much")
    assert "arv" in warning.inner_text().lower()
    page.get_by_role("button", name="Save").click()
    summary = page.get_by_role("alert")
    assert "The text is not saved" in summary.inner_text()
    accessible(page)
    summary.get_by_role("link").click()
    assert page.evaluate("document.activeElement.id") == "body"
    assert field.input_value() == "Riverside Clinic : venez prendre vos ARV"
    field.fill("{code_word} : vous nous manquez. Appelez le {phone}.")
    page.get_by_role("button", name="Preview").click()
    assert "Sunrise : vous nous manquez. Appelez le 0803 000 0000." in page.locator("q").inner_text()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("The text is saved.").wait_for()
    assert page.get_by_role("article").filter(has_text="Français").count() == 1
    rows = partner.api.get("/v1/message-templates").json()["items"]
    assert sorted(row["language"] for row in rows) == ["en", "fr"]


def test_a_patient_consents_gets_a_message_answers_and_stops_it(visit, accessible, partner, sent):
    patient, phone = partner.patient("Ngozi")
    keys = Keyboard(visit(f"/patients/{patient}", size=DESKTOP))
    keys.follow("^Messages and consent$")
    page = keys.page
    page.get_by_role("heading", name="Messages to Ngozi Okoro").wait_for()
    consent = page.get_by_role("region", name="Consent")
    assert consent.inner_text().count("not asked yet") == 3
    keys.go_to("^About")
    page.keyboard.type("Messages after")
    keys.follow("^Save$")
    page.get_by_text("The decision is recorded.").wait_for()
    assert "Yes Said at the clinic" in " ".join(consent.inner_text().split())
    accessible(page)
    keys.follow("^Send the message after a missed contact$")
    page.get_by_text("The message goes out as soon as it is permitted.").wait_for()
    drain(partner.tenant)
    assert sent == [(phone, "Sunrise: we miss you. Call 0803 000 0000. Reply 1 if you come.")]
    partner.receive(phone, "1")
    page.reload()
    messages = page.get_by_role("region", name="Messages", exact=True)
    assert "Received: Is coming" in messages.inner_text()
    page.goto(f"/patients/{patient}")
    assert "SMS: will come" in page.get_by_role("region", name="What happened").inner_text()
    partner.receive(phone, "STOP")
    page.goto(f"/patients/{patient}/messages")
    assert "No By SMS" in " ".join(consent.inner_text().split())
    assert page.get_by_role("button", name="Send the message").count() == 0


def test_consent_is_given_and_withdrawn_on_a_phone_without_script(visit, partner):
    patient, _phone = partner.patient("Bola")
    page = visit(f"/patients/{patient}/messages", java_script_enabled=False)
    consent = page.get_by_role("region", name="Consent")
    for decision, source in (("Yes", "Signed on paper"), ("No", "Said at the clinic")):
        if decision == "No":
            page.get_by_text("Record a decision").click()
        page.get_by_label("Does the patient want this?").select_option(decision)
        page.get_by_label("How do you know?").select_option(source)
        page.get_by_role("button", name="Save").click()
        assert page.get_by_text("The decision is recorded.").is_visible()
        assert f"{decision} {source}" in " ".join(consent.inner_text().split())
    assert page.get_by_role("region", name="Decisions").get_by_role("listitem").count() == 2


def test_an_answer_that_is_not_clear_is_read_and_settled_with_one_tap(visit, partner, things):
    page = visit("/messages")
    card = page.get_by_role("article").filter(has_text="perhaps tomorrow")
    assert card.get_by_role("heading").inner_text() == "Amaka Okoro"
    card.get_by_role("button", name="Is coming").click()
    page.get_by_text("The message is settled.").wait_for()
    assert card.count() == 0
    row = page.get_by_role("row").filter(has_text="perhaps tomorrow")
    assert "Is coming" in row.inner_text()
    row.get_by_role("link", name="Amaka Okoro").click()
    page.get_by_role("heading", name="Messages to Amaka Okoro").wait_for()


def test_a_message_of_an_unknown_phone_finds_its_patient(visit, partner):
    patient, _phone = partner.patient("Zainab")
    partner.receive("+2348099000002", "call me please")
    page = visit("/messages", "partner_admin")
    card = page.get_by_role("article").filter(has_text="call me please")
    card.get_by_role("link", name="Find the patient").click()
    page.get_by_label("Name, number or phone").fill("zainab")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("article").filter(has_text="Zainab").get_by_role("button", name="Asks for a call").click()
    page.get_by_text("The message is settled.").wait_for()
    page.goto(f"/patients/{patient}")
    assert "Phone call" in page.get_by_role("region", name="What is planned").inner_text()
