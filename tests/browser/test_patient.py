"""The page of a patient in a browser: found by name or number, read, recorded, undone; on a phone, without script."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from core.clock import now, today
from core.database import tenant_session
from core.identity.people import sessions
from core.privacy import vault
from tenants.messages.models import Communication
from tenants.records.service import patient_of_id
from tenants.risk import explain
from tests.browser import people
from tests.browser.page_checks import DESKTOP, PHONE, assert_good
from tests.keyed import KeyedClient

NUMBER, PHONE_NUMBER = "H-0412", "0803 000 0412"
ROLES = ("case_manager", "partner_admin", "viewer", "records-reader")


@pytest.fixture(scope="module")
def clinic(make_tenant, application):
    """A tenant with a patient who has a history: tenant, the patient's identifier, and the role's session secrets."""
    owner = make_tenant()
    day = today("Africa/Lagos")
    with KeyedClient(application, headers={"X-API-Key": owner.api_key}) as client:

        def add(path, **body):
            answer = client.post(f"/v1/{path}", json=body)
            assert answer.status_code == 201, answer.text
            return answer.headers["location"].rsplit("/", 1)[1]

        datim_id = f"T{uuid4().hex[:10]}"
        add("facilities", datim_id=datim_id, name="Central clinic")
        patient = add(
            "patients", facility=datim_id, hospital_number=NUMBER, phone=PHONE_NUMBER, sex="F", birthdate="1990-05-01",
            art_start_date=(day - timedelta(days=200)).isoformat(),
        )  # fmt: skip
        named = add("patients", facility=datim_id, given_name="Ngozi", family_name="Okoro", sex="F")
        add(
            "visits", patient_id=named, date_started=(day - timedelta(days=60)).isoformat(), visit_type="clinical",
            next_appointment=(day + timedelta(days=10)).isoformat(),
        )  # fmt: skip
        add(
            "observations", patient_id=named, obs_datetime=f"{day - timedelta(days=60)}T09:00:00+01:00",
            variable_name="viral_load", value_numeric=1250,
        )  # fmt: skip
        for name in ("Aminatu", "Amina"):
            add("patients", facility=datim_id, given_name=name, family_name="Garba", sex="F")
        for ago, following in ((200, 170), (150, 120), (100, 10), (5, -25)):
            visited, expected = (day - timedelta(days=days) for days in (ago, following))
            add(
                "visits", patient_id=patient, date_started=visited.isoformat(), visit_type="clinical",
                next_appointment=expected.isoformat(),
            )  # fmt: skip
        add(
            "observations", patient_id=patient, obs_datetime=f"{day - timedelta(days=100)}T09:00:00+01:00",
            variable_name="viral_load", value_numeric=40,
        )  # fmt: skip
        add("roles", name="records-reader", meaning="Reads records", permissions=["patients.read"])
        consent = {"purpose": "reminders", "agrees": True, "source": "verbal", "day": str(day - timedelta(days=9))}
        add(f"patients/{patient}/consents", **consent)
    exchange(owner.ref, UUID(patient))
    secrets = {role: people.session_of(people.add_person(owner.ref, role), owner.ref) for role in ROLES}
    return owner.ref, patient, secrets


def exchange(tenant, patient):
    """A reminder that arrived, and the patient's answer."""
    with tenant_session(tenant, actor="test:1") as session:
        facts = {"patient_uuid": patient, "facility_uuid": patient_of_id(session, patient).facility_uuid}
        facts |= {"communication_type": "sms", "created_by": "test:1"}
        sent = {"status": "delivered", "purpose": "reminders", "consent_basis": "verbal:2026-01-05"}
        for text, more in (
            ("Sunrise: see you on 03/02", {**sent, "sent_at": now(), "delivered_at": now()}),
            ("1", {"direction": "inbound", "status": "read", "answer": "coming"}),
        ):
            row = Communication(**facts, **more)
            row.body_enc = vault(session).encrypt(patient, "communications", "body_enc", row.uuid, text)
            session.add(row)


@pytest.fixture
def visit(open_page, clinic):
    """Opens a page as a role: ``visit("/patients", "viewer")``."""

    def begin(path, role="case_manager", size=PHONE, **options):
        return open_page(path, size, session=clinic[2][role], **options)

    return begin


@pytest.fixture
def address(clinic):
    return f"/patients/{clinic[1]}"


@pytest.fixture
def reasons(monkeypatch):
    """Gives each patient the risk and the reasons that a trained model would give."""
    real = explain.explain
    reasons = [
        {"theme": "lateness", "text": "12 days late at the last refill, late at 3 of the last 5", "contribution": 0.83},
        {"theme": "viral_load", "text": "last viral load 40 copies/mL, 3 months ago", "contribution": -0.44},
    ]

    def explained(*args, **options):
        facts = {"risk": 0.42, "risk_low": 0.36, "risk_high": 0.49, "usual_risk": 0.12, "kind": "at_risk"}
        return replace(real(*args, **options), reasons=reasons, **facts)

    monkeypatch.setattr(explain, "explain", explained)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("text", [NUMBER, "h-0412", "08030000412"])
def test_a_number_or_phone_leads_to_the_patient_and_stays_out_of_the_address(visit, address, text, script):
    page = visit("/patients", java_script_enabled=script)
    page.get_by_label("Name, number or phone").fill(text)
    page.get_by_role("button", name="Search").click()
    page.get_by_text("1 patient").wait_for()
    assert page.url.endswith("/patients")
    page.get_by_role("link", name=NUMBER).click()
    page.wait_for_url(f"**{address}")
    assert page.get_by_role("heading", level=1).inner_text() == NUMBER


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_name_leads_to_its_patients_the_best_match_first(visit, accessible, script):
    page = visit("/patients", java_script_enabled=script)
    page.get_by_label("Name, number or phone").fill("garba amina")
    page.get_by_role("button", name="Search").click()
    page.get_by_text("2 patients").wait_for()
    assert page.locator("article h2").all_inner_texts() == ["Amina Garba", "Aminatu Garba"]
    if script:
        accessible(page)


@pytest.mark.parametrize(
    ("text", "words"),
    [("9999", "No patient has this name, number or phone"), ("--", "Write a name, a number or a phone.")],
)
def test_a_search_without_a_match_says_what_to_do(visit, accessible, text, words):
    page = visit("/patients")
    page.get_by_label("Name, number or phone").fill(text)
    page.get_by_role("button", name="Search").click()
    page.get_by_text(words).first.wait_for()
    assert page.get_by_label("Name, number or phone").input_value() == text
    accessible(page)


def test_the_page_says_who_how_it_stands_what_happened_and_why(visit, address, reasons):
    page = visit(address)
    head = page.locator(".page-head").inner_text()
    assert "On treatment" in head
    assert "female · Central clinic" in head
    call = page.get_by_role("link", name="Call 0803 000 0412")
    assert call.get_attribute("href") == "tel:08030000412"
    story = page.get_by_role("region", name="What happened").inner_text()
    assert "Viral load: 40 copies/mL" in story
    assert "Visit (clinical), next on" in story
    risk = page.get_by_role("region", name="Risk of an interruption")
    assert "42%, usual is 12%" in risk.inner_text()
    assert "Of people with such a score, 36% to 49% interrupted" in risk.inner_text()
    assert risk.locator("svg.bars rect").count() == 2
    rows = [" ".join(row.split()) for row in risk.locator("tbody tr").all_inner_texts()]
    assert rows == [
        "12 days late at the last refill, late at 3 of the last 5 raises, 2.3 times",
        "Last viral load 40 copies/mL, 3 months ago lowers, 0.6 times",
    ]
    assert page.get_by_role("region", name="Who looked").count() == 0


@pytest.mark.parametrize(("role", "lines"), [("case_manager", True), ("records-reader", False)])
def test_messages_answers_and_decisions_are_in_the_story_as_far_as_the_reader_may_see(visit, address, role, lines):
    story = visit(address, role).get_by_role("region", name="What happened").inner_text()
    assert "Message (Reminders of the expected contact): Sent" in story
    assert "The message arrived" in story
    shown = [
        text in story
        for text in (
            "“Sunrise: see you on 03/02”",
            "Message from the patient: Is coming “1”",
            "Agrees to messages: Reminders of the expected contact (Said at the clinic)",
        )
    ]
    assert shown == [lines] * 3


def test_the_status_of_another_day_is_shown(visit, address):
    page = visit(address)
    page.get_by_label("Another day").fill((today("Africa/Lagos") - timedelta(days=1000)).isoformat())
    page.get_by_role("button", name="Show").click()
    page.get_by_text("Not on treatment yet").first.wait_for()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_an_attempt_with_all_its_facts_is_recorded_and_undone(visit, address, script):
    page = visit(address, java_script_enabled=script)
    page.get_by_text("Record an attempt").click()
    page.get_by_label("What happened?").select_option("Will come")
    page.get_by_label("Will come on").fill((today("Africa/Lagos") + timedelta(days=2)).isoformat())
    page.get_by_label("Why did the patient stay away?").select_option("Transport or distance")
    page.get_by_label("Note", exact=True).fill("asked to call after five")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    story = page.get_by_role("region", name="What happened").inner_text()
    assert "Phone call: will come on" in story
    assert "reason: transport or distance, by you. “asked to call after five”" in story
    page.get_by_role("button", name="Undo").click()
    page.wait_for_url(f"**{address}")
    assert "asked to call after five" not in page.locator("main").inner_text()


def test_a_form_that_is_not_right_says_what_to_change_and_loses_nothing(visit, address, accessible):
    page = visit(address)
    page.get_by_text("Record an attempt").click()
    page.get_by_label("Note", exact=True).fill("left a message")
    page.get_by_label("Will come on").fill("2020-01-01")
    page.get_by_label("What happened?").select_option("Will come")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").wait_for()
    page.get_by_role("alert").get_by_role("link").click()
    assert page.evaluate("document.activeElement.id") == "promised_for"
    assert page.get_by_label("Note", exact=True).input_value() == "left a message"
    accessible(page)


def test_an_attempt_is_recorded_by_keyboard(visit, address):
    page = visit(address, size=DESKTOP)
    page.locator("summary").filter(has_text="Record an attempt").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("Not")
    for _ in range(16):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Save":
            break
    page.keyboard.press("Enter")
    page.get_by_text("Saved.").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.wait_for_url(f"**{address}")


def test_an_admin_sees_who_looked(visit, address):
    visit(address)
    page = visit(address, "partner_admin", DESKTOP)
    assert "Case manager: opened the record" in page.get_by_role("region", name="Who looked").inner_text()


@pytest.mark.parametrize("path", ["/patients", "patient"])
def test_pages_are_accessible_and_fit_every_screen(visit, accessible, address, path, reasons):
    page = visit(address if path == "patient" else path, "partner_admin")
    if path == "patient":
        page.get_by_text("Record an attempt").click()
    assert_good(page, accessible)


def test_who_may_not_see_patients_is_told_who_can_allow_it(visit, accessible, address):
    page = visit(address, "viewer")
    assert "See patients with their names" in page.locator("main").inner_text()
    assert "administrator" in page.locator("main").inner_text()
    accessible(page)


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_clinician_signs_in_finds_a_patient_by_name_reads_why_sees_the_results_and_records(
    open_page, clinic, reasons, accessible, size
):
    person, email = people.add_person_with_password(clinic[0], "clinician")
    page = open_page("/sign-in", size)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(people.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/today")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Patients").click()
    page.get_by_label("Name, number or phone").fill("okoro ngozi")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Ngozi Okoro").click()
    page.wait_for_url("**/patients/*")
    assert page.get_by_role("heading", level=1).inner_text() == "Ngozi Okoro"
    risk = page.get_by_role("region", name="Risk of an interruption").inner_text()
    assert "12 days late at the last refill" in risk
    story = page.get_by_role("region", name="What happened")
    assert "Viral load: 1,250 copies/mL" in story.inner_text()
    page.get_by_text("Record an attempt").click()
    accessible(page)
    page.get_by_label("What happened?").select_option("Will come")
    page.get_by_label("Note", exact=True).fill("result explained")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    assert "result explained" in story.inner_text()
    page.goto("/me")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    assert sessions.list_sessions(person) == []
