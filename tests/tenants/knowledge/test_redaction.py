"""What may name a person is removed, and the words of medicine stay."""

import pytest

from core.database import tenant_session
from tenants.knowledge.redaction import looks_personal, redacted
from tests.keyed import KeyedClient


@pytest.fixture(scope="module")
def tenant(make_tenant, application):
    created = make_tenant()
    api = KeyedClient(application, headers={"Authorization": f"Bearer {created.api_key}"})
    api.post("/v1/facilities", json={"datim_id": "RED001", "name": "Clinic"})
    for first, family, number in (("Musa", "Bello", "0624"), ("Ngozi", "Adichie-Obi", "HX/77"), ("Hope", "Eze", "A1")):
        body = {"facility": "RED001", "hospital_number": number, "given_name": first, "family_name": family}
        assert api.post("/v1/patients", json={**body, "art_start_date": "2024-01-10"}).status_code == 201
    return created.ref


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("What does Musa take?", "What does [name] take?"),
        ("what does musa bello take?", "what does [name] take?"),
        ("Musa was away, and now?", "[name] was away, and now?"),
        ("Is Mussa back?", "Is [name] back?"),
        ("Is ngozi adichie-obi stable?", "Is [name] stable?"),
        ("Ask Mr. Xanadu about it", "Ask Mr. [name] about it"),
        ("When does Wilhelmina Vonnegut come?", "When does [name] come?"),
        ("What of number 0624?", "What of number [identifier]?"),
        ("What of HX/77?", "What of [identifier]?"),
        ("What of ABC-00123-9?", "What of [identifier]?"),
        ("Call +234 803 123 4567 or 08031234567", "Call [phone] or [phone]"),
        ("Write to m.bello@example.org", "Write to [address]"),
        ("Born on 12/03/1990, seen 2024-05-06", "Born on [date], seen [date]"),
        ("The id 019c2253-7220-70a7-a610-b4172b5ebaa0", "The id [identifier]"),
    ],
)
def test_what_names_a_person_is_removed(tenant, text, without):
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        assert redacted(session, text, "en").text == without
    assert not looks_personal(without)


@pytest.mark.parametrize(
    "text",
    [
        "Does a viral load of 1,000 copies count, or 250 000?",
        "CD4 below 200 and fluconazole 800mg a day for two weeks?",
        "Which dose of DTG with rifampicin?",
        "How often are 15 to 19 year olds tested?",
        "Until when must cotrimoxazole be swallowed?",
    ],
)
def test_words_and_figures_of_medicine_stay(tenant, text):
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        assert redacted(session, text, "en").text == text
    assert not looks_personal(text)


def test_what_was_removed_is_counted(tenant):
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        assert redacted(session, "Musa, 08031234567 and 08031234568", "en").removed == {"phone": 2, "name": 1}
