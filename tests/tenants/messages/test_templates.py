"""Templates in versions, checked when they are saved; decisions about consent."""

from datetime import timedelta
from uuid import uuid4

import pytest

from core.jobs.worker import drain
from tenants.messages import covert
from tenants.messages.templates import EXAMPLES


def save(partner, body, purpose="surveys", language="en"):
    return partner.api.post("/v1/message-templates", json={"purpose": purpose, "language": language, "body": body})


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("Your HIV visit is on {date}", "hiv"),
        ("Come to Riverside Clinic", "riverside clinic"),
        ("Dear {name}", "{name}"),
        ("Open { brace", "brace"),
        ("ê" * 200, "parts"),
    ],
    ids=["a word that tells", "the clinic's name", "an unknown variable", "a brace", "too long"],
)
def test_a_text_that_tells_or_does_not_fit_is_rejected(partner, body, word):
    answer = save(partner, body)
    assert answer.status_code == 422
    assert word in answer.text.lower()
    preview = partner.api.post("/v1/message-templates/preview", json={"body": body})
    assert preview.status_code == 200
    assert preview.json()["problems"]


@pytest.mark.parametrize("language", sorted(EXAMPLES))
def test_the_suggested_texts_can_be_saved(partner, language):
    partner.set(most_segments=3)
    assert save(partner, EXAMPLES[language], language=language).status_code == 201


def test_a_variable_without_a_setting_is_rejected(partner):
    partner.set(phone="")
    assert "phone" in save(partner, "Call {phone}").text
    partner.set()


def test_a_new_version_retires_the_one_before(partner):
    first = save(partner, "Text one.", language="sw").json()
    assert save(partner, "Text one.", language="sw").json()["id"] == first["id"]
    second = save(partner, "Text two.", language="sw").json()
    assert (first["version"] + 1, second["state"]) == (second["version"], "active")
    path = f"/v1/message-templates/{first['id']}"
    assert partner.api.get(path).json()["state"] == "retired"
    assert partner.api.post(f"{path}/retire").status_code == 409
    listed = partner.api.get("/v1/message-templates").json()["items"]
    assert second["id"] in {row["id"] for row in listed}
    assert first["id"] not in {row["id"] for row in listed}
    newest = partner.api.get("/v1/message-templates", params={"retired": True, "page_size": 1}).json()
    assert [row["id"] for row in newest["items"]] == [second["id"]]
    earlier = partner.api.get(newest["next"]).json()["items"]
    assert [row["id"] for row in earlier] == [first["id"]]
    assert partner.api.post(f"/v1/message-templates/{second['id']}/retire").json()["state"] == "retired"


def test_a_preview_counts_the_parts(partner):
    answer = partner.api.post("/v1/message-templates/preview", json={"body": "{code_word}: à bientôt, {date}"}).json()
    assert answer["text"].startswith("Sunrise: à bientôt, ")
    assert (answer["unicode"], answer["others"], answer["segments"], answer["problems"]) == (True, "ô", 1, [])


def test_a_decision_counts_until_the_next_one(partner):
    patient = partner.patient(consent=False)
    first = partner.consent(patient, language="fr", day=str(partner.day - timedelta(3)))
    assert partner.consent(patient, language="fr", day=str(partner.day - timedelta(3)))["id"] == first["id"]
    withdrawn = partner.consent(patient, agrees=False, source="paper_form")
    listed = partner.api.get(f"/v1/patients/{patient}/consents").json()["items"]
    assert [(row["id"], row["agrees"]) for row in listed] == [(withdrawn["id"], False), (first["id"], True)]
    assert listed[0]["recorded_by"].startswith("api_key:")


def test_a_decision_of_tomorrow_is_rejected(partner):
    patient = partner.patient(consent=False)
    body = {"purpose": "reminders", "agrees": True, "source": "verbal", "day": str(partner.day + timedelta(2))}
    answer = partner.api.post(f"/v1/patients/{patient}/consents", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.day"


def test_the_language_of_the_consent_chooses_the_text(partner, network):
    partner.template("{code_word} : à bientôt.", purpose="follow_up", language="fr")
    patient = partner.patient(consent=False)
    partner.consent(patient, "follow_up", language="fr")
    assert partner.send(patient).status_code == 202
    drain(partner.tenant)
    assert network.sent[-1][2] == "Sunrise : à bientôt."


def test_a_text_with_the_patients_name_is_not_sent(partner, network):
    partner.template("{code_word}: hello sunny.", purpose="follow_up", language="ha")
    patient = partner.patient(consent=False, given_name="Sunny", family_name="Day")
    partner.consent(patient, "follow_up", language="ha")
    assert "name" in partner.send(patient).text


@pytest.fixture(params=["a word", "a clinic"])
def a_new_word(request, partner, monkeypatch):
    """Returns a function: makes the word Lakeside tell, as a later release or a new clinic does."""
    if request.param == "a word":
        return lambda: monkeypatch.setattr(covert, "WORDS", covert.WORDS | {"lakeside"})
    clinic = {"datim_id": f"L{uuid4().hex[:10]}", "name": "Lakeside"}
    return lambda: partner.api.post("/v1/facilities", json=clinic)


def test_a_text_that_was_saved_before_one_of_its_words_told_is_not_sent(partner, network, a_new_word):
    partner.template("{code_word}: meet us in Lakeside.", purpose="follow_up", language="yo")
    patients = [partner.patient(consent=False) for _ in range(2)]
    for patient in patients:
        partner.consent(patient, "follow_up", language="yo")
    waiting = partner.send(patients[0])
    assert waiting.status_code == 202, waiting.text
    a_new_word()
    drain(partner.tenant)
    (message,) = partner.messages(patients[0])
    assert (message["state"], message["reason"]) == ("cancelled", "not_covert")
    assert partner.send(patients[1]).status_code == 409
    assert network.sent == []
