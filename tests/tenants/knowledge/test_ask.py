"""Questions to the guidelines: quotes with their places, refusals, what is stored, and facts of one patient."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest

from core.clock import now
from tenants.knowledge.patient_facts import PatientFacts, suggested_questions, words_of_facts
from tenants.knowledge.questions import delete_old

AFTER_FOUR_MONTHS = "What do our guidelines say for someone who came back after 4 months?"
NOT_THERE = "How do I reset my password?"


def test_an_answer_is_a_passage_with_its_place_and_its_best_sentences(partner):
    answer = partner.ask(AFTER_FOUR_MONTHS)
    assert (answer["outcome"], answer["language"], answer["answer"], answer["fallback"]) == ("quoted", "en", [], None)
    first = next(
        quote for quote in answer["quotes"] if quote["source"]["section"].endswith("Gap of more than 3 months")
    )
    assert first["source"]["title"] == "Returning to care after an interruption"
    assert (first["source"]["version"], first["source"]["page"]) == (1, None)
    marked = [first["text"][part["start"] : part["end"]] for part in first["sentences"] if part["marked"]]
    assert 1 <= len(marked) <= 2
    assert all(sentence in first["text"] for sentence in marked)
    assert answer["documents"] == 8


def test_not_in_the_guidelines_is_an_answer(partner):
    answer = partner.ask(NOT_THERE)
    assert (answer["outcome"], answer["quotes"]) == ("none", [])
    assert answer["nearest"]
    assert "text" not in answer["nearest"][0]


def test_the_language_is_told_from_the_words_and_documents_can_be_chosen_by_theirs(partner):
    answer = partner.ask("Que faire pour quelqu'un qui revient après quatre mois ?", languages=["fr"])
    assert answer["language"] == "fr"
    assert {quote["source"]["title"] for quote in answer["quotes"]} <= {
        "Retour aux soins après une interruption", "Charge virale", "Renouvellements",
    } or all("é" in quote["text"] for quote in answer["quotes"])  # fmt: skip


def test_a_tenant_without_documents_is_told_that_nothing_was_searched(make_tenant, client_for, application):
    from tests.keyed import KeyedClient

    other = make_tenant()
    api = KeyedClient(application, headers={"Authorization": f"Bearer {other.api_key}"})
    answer = api.post("/v1/knowledge/ask", json={"question": AFTER_FOUR_MONTHS}).json()
    assert (answer["outcome"], answer["documents"], answer["nearest"]) == ("none", 0, [])


def test_names_phones_and_identifiers_are_not_stored(partner):
    number = f"KN-{uuid4().int % 10**6:06d}"
    partner.patient(given_name="Zainab", family_name="Okonkwo", phone="08031234567", hospital_number=number)
    partner.ask(f"Can Zainab okonkwo of {number}, phone 0803 123 4567, get six months of tablets?")
    ((text,),) = partner.rows("SELECT text FROM knowledge_questions ORDER BY asked_at DESC LIMIT 1")
    assert text == "Can [name] of [identifier], phone [phone], get six months of tablets?"


def test_feedback_and_open_questions_are_for_the_data_team(partner):
    unanswered, answered = partner.ask(NOT_THERE)["id"], partner.ask(AFTER_FOUR_MONTHS)["id"]

    def is_open(question):
        page = partner.api.get("/v1/knowledge/questions", params={"open": True, "page_size": 200}).json()
        return question in {row["id"] for row in page["items"]}

    assert (is_open(unanswered), is_open(answered)) == (True, False)
    path = f"/v1/knowledge/questions/{answered}/feedback"
    partner.patient(given_name="Bartholomew", family_name="Quux")
    body = {"feedback": "missing", "note": "It says nothing for bartholomew, call 08031239999."}
    row = partner.api.put(path, json=body).json()
    assert (row["feedback"], row["note"]) == ("missing", "It says nothing for [name], call [phone].")
    assert is_open(answered)
    assert partner.api.put(path, json={"feedback": "useful"}).json()["note"] is None
    assert not is_open(answered)
    assert partner.api.post(f"/v1/knowledge/questions/{unanswered}/handle").json()["handled_at"]
    assert not is_open(unanswered)
    listed = partner.api.get("/v1/knowledge/questions", params={"feedback": "useful"}).json()["items"]
    assert answered in {row["id"] for row in listed}


def test_old_questions_are_deleted(partner):
    partner.ask(NOT_THERE)
    with partner.session() as session:
        assert delete_old(session, now() - timedelta(days=1)) == 0
        assert delete_old(session, now() + timedelta(days=1)) >= 1
        assert delete_old(session, now() + timedelta(days=1)) == 0


def test_a_question_about_a_patient_gets_facts_in_coarse_words(partner):
    patient = partner.patient(away=123, viral_load=54321, birthdate="2009-03-04", given_name="Hauwa")
    answer = partner.ask("What do our guidelines say for her?", patient_id=patient)
    assert answer["facts"] == [
        "last contact 4 months ago", "adolescent from 15 to 19 years", "viral load unsuppressed",
    ]  # fmt: skip
    assert answer["outcome"] == "quoted"
    ((text, facts),) = partner.rows("SELECT text, facts FROM knowledge_questions ORDER BY asked_at DESC LIMIT 1")
    assert facts == ", ".join(answer["facts"])
    assert not any(exact in text + facts for exact in ("54321", "2009", "123", "Hauwa", patient))
    audit = partner.api.get("/v1/audit", params={"subject_id": patient}).json()["items"]
    assert "api:knowledge_facts:read" in {event["action"] for event in audit}


def test_facts_do_not_make_an_answer_of_another_subject(partner):
    patient = partner.patient(away=123, viral_load=54321)
    assert partner.ask(NOT_THERE, patient_id=patient)["outcome"] == "none"


def test_an_unknown_patient_is_named_as_a_mistake_of_the_body(partner):
    body = {"question": AFTER_FOUR_MONTHS, "patient_id": str(uuid4())}
    answer = partner.api.post("/v1/knowledge/ask", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.patient_id"]


def test_the_stream_sends_quotes_and_an_end(partner):
    answer = partner.api.post("/v1/knowledge/ask/stream", json={"question": AFTER_FOUR_MONTHS})
    assert answer.headers["content-type"].startswith("text/event-stream")
    frames = [dict(line.split(": ", 1) for line in part.split("\n")) for part in answer.text.strip().split("\n\n")]
    assert [each["event"] for each in frames] == ["quotes", "end"]
    assert json.loads(frames[0]["data"])["quotes"]


@pytest.mark.parametrize("language", ["en", "fr", "pt"])
def test_facts_suggest_questions(language):
    facts = PatientFacts(120, "efavirenz", "unsuppressed", "15_to_19", "pregnant")
    assert len(words_of_facts(facts, language)) == 5
    questions = suggested_questions(facts, language)
    assert len(questions) == 5
    assert "4" in questions[0]
    assert suggested_questions(PatientFacts(days_since_contact=10, age_group="adult"), language) == []
