"""Pages of guidelines: upload, ask, read the passage, say whether it helped, and what stays open."""

import re
from datetime import date
from decimal import Decimal

import pytest
from sqlmodel import select

from core.database import platform_session, tenant_session
from core.entitlements import capped
from core.identity.people import members, sessions
from core.jobs.worker import drain
from core.tenancy import settings as tenant_settings
from tenants.demo.guidelines import FOLDER
from tenants.knowledge import answers
from tenants.knowledge.models_questions import KnowledgeQuestion
from tenants.knowledge.settings_answers import AnswerSettings
from tests.keyed import KeyedClient
from tests.tenants.knowledge.asking import ModelServer
from tests.tenants.knowledge.test_language_model import QUESTION, SAYS, citing

GUIDE = (FOLDER / "en" / "returning-to-care.md").read_bytes()
SCAN = b"%PDF-1.4 of which only the beginning is there"
ANSWERED = "When do we take a viral load after the restart of treatment?"
UNANSWERED = "What does a malaria test cost?"


class Team:
    """A partner with a data officer and a tracking officer, in browsers of their own."""

    def __init__(self, application, owner):
        self.tenant = owner.ref
        self.api = KeyedClient(application, headers={"X-API-Key": owner.api_key})
        self.data, self.officer, self.manager = (
            self._browser(application, role) for role in ("data_officer", "tracking_officer", "case_manager")
        )

    def _browser(self, application, role):
        email = f"{role}@{self.tenant.slug}.example.org"
        person = members.add_member(self.tenant, email, "Ada", members.Grant([role]), actor="test:1")
        with platform_session() as session:
            members.accept(session, person, self.tenant.id)
            begun = sessions.begin(session, person, self.tenant.id, signed_in_by="password")
        client = KeyedClient(application, follow_redirects=False)
        client.cookies.set("iit_session", begun.secret)
        return client

    def upload(self, name, content, **form):
        path = f"/guidelines/upload?csrf_token={token(self.data)}"
        headers = {"Origin": "http://testserver"}
        answer = self.data.post(path, files={"file": (name, content)}, data=form, headers=headers)
        drain(self.tenant)
        return answer

    def documents(self, *, older=False):
        """The text of the list of documents, and the addresses of its documents."""
        text = self.data.get("/guidelines/documents?older=yes" if older else "/guidelines/documents").text
        return text, re.findall(r'href="(/guidelines/documents/[0-9a-f-]{36})"', text)


def token(client):
    return re.search(r'name="csrf_token" value="([^"]+)"', client.get("/me").text)[1]


def post(client, path, **form):
    return client.post(path, data={"csrf_token": token(client), **form}, headers={"Origin": "http://testserver"})


def answers_by(team, settings):
    with tenant_session(team.tenant, actor="test:1") as session:
        tenant_settings.put(session, settings)


@pytest.fixture(scope="module")
def team(application, make_tenant):
    team = Team(application, make_tenant())
    answer = team.upload("returning-to-care.md", GUIDE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/guidelines/documents?done=added")
    return team


@pytest.fixture(scope="module")
def answered(team):
    """The page of an answer."""
    answer = post(team.officer, "/guidelines", question=ANSWERED)
    assert answer.status_code == 200
    return answer.text


def test_an_uploaded_guideline_is_searchable_under_its_heading(team):
    text, (address,) = team.documents()
    assert "Searchable" in text
    assert "Returning to care after an interruption" in text
    page = team.officer.get(address).text
    assert "Gap of more than 3 months</h2>" in page
    assert "Remove this guideline" not in page
    assert "Remove this guideline" in team.data.get(address).text


def test_an_answer_has_its_passage_beside_it_and_the_guideline_opens_there(team, answered):
    assert "What our guidelines say" in answered
    assert re.search(r"<mark>[^<]+</mark>", answered)
    address, passage = re.search(r'href="(/guidelines/documents/[0-9a-f-]+)#passage-(\d+)"', answered).groups()
    section = re.search(rf'id="passage-{passage}".*?</section>', team.officer.get(address).text, re.DOTALL)[0]
    assert "Gap of more than 3 months" in section


def test_the_passages_are_shown_at_once_and_the_written_answer_once_it_is_checked(team, settings_of):
    with ModelServer(says=citing) as model:
        settings_of(language_model_url=model.url, language_model_name="small-1")
        answers_by(team, AnswerSettings(style="written", egress="local"))
        page = post(team.officer, "/guidelines", question=QUESTION).text
        assert "<mark>" in page
        assert model.prompts == []
        path = re.search(r'hx-post="(/guidelines/questions/[0-9a-f-]+/written)" hx-trigger="load"', page)[1]
        final = post(team.officer, path, question=QUESTION).text
        assert "Written by a language model" in final
        assert SAYS in re.search(r'id="answer-card".*?</section>', final, re.DOTALL)[0]
        assert "/written" not in final
        again = post(team.officer, path, question=QUESTION).text
        assert "Written by a language model" not in again
        assert "<mark>" in again
        assert len(model.prompts) == 1
        assert post(team.officer, path, question="Who pays?").status_code == 404
        answers_by(team, AnswerSettings())


def test_a_reached_cap_shows_the_passages_and_what_to_do(team, settings_of, monkeypatch):
    decision = capped("knowledge_questions", Decimal(10), date(2027, 2, 1), 60)
    monkeypatch.setattr(answers, "allowed", lambda *_: decision)
    with ModelServer(says=citing) as model:
        settings_of(language_model_url=model.url, language_model_name="small-1")
        answers_by(team, AnswerSettings(style="written", egress="local"))
        page = post(team.officer, "/guidelines", question=QUESTION).text
        path = re.search(r'hx-post="(/guidelines/questions/[0-9a-f-]+/written)" hx-trigger="load"', page)[1]
        final = post(team.officer, path, question=QUESTION).text
        answers_by(team, AnswerSettings())
    assert "The cap of 10 of knowledge_questions is reached" in final
    assert "ask the operator of the installation for a higher cap" in final
    assert "<mark>" in final
    assert model.prompts == []


def test_what_readers_say_of_an_answer_waits_for_the_data_team(team, answered):
    path = re.search(r'action="(/guidelines/questions/[0-9a-f-]+/opinion)"', answered)[1]
    answer = post(team.officer, path, opinion="missing", note="The dose is not in it")
    assert (answer.status_code, answer.headers["location"]) == (303, "/guidelines?done=opinion")
    assert post(team.officer, path, opinion="nothing").status_code == 422
    page = team.data.get("/guidelines/questions").text
    assert "Answer lacks something" in page
    assert "The dose is not in it" in page
    post(team.data, path.replace("opinion", "settle"))
    assert "The dose is not in it" not in team.data.get("/guidelines/questions").text


def test_what_the_guidelines_do_not_say_is_said_with_what_was_looked_through(team):
    page = post(team.officer, "/guidelines", question=UNANSWERED).text
    assert "Not in your guidelines" in page
    assert "1 guideline was looked through:" in page
    assert "Returning to care after an interruption" in page
    assert "<mark>" not in page
    assert UNANSWERED in team.data.get("/guidelines/questions").text


def test_a_question_about_a_patient_leads_back_and_says_no_name(team):
    team.api.post("/v1/facilities", json={"datim_id": "FAC001", "name": "Hope Clinic"})
    body = {"facility": "FAC001", "hospital_number": "H-4711", "given_name": "Ngozi", "birthdate": "2012-05-01"}
    patient = team.api.post("/v1/patients", json=body).headers["location"].rsplit("/", 1)[1]
    visit = {"patient_id": patient, "date_started": "2026-01-05", "visit_type": "clinical"}
    assert team.api.post("/v1/visits", json=visit).status_code == 201
    page = team.manager.get(f"/patients/{patient}").text
    section = re.search(r'aria-labelledby="guidelines".*?</section>', page, re.DOTALL)[0]
    assert "Ngozi" not in section
    question = re.search(r'name="question" value="([^"]+)"', section)[1]
    assert "comes back after" in question
    answer = post(team.manager, "/guidelines", question=question, patient_id=patient).text
    assert f'href="/patients/{patient}"' in answer
    assert "adolescent" in answer
    assert "Ngozi" not in answer
    with tenant_session(team.tenant, actor="test:1", readonly=True) as session:
        stored = [f"{row.text} {row.facts}" for row in session.exec(select(KnowledgeQuestion))]
    assert any("adolescent" in text for text in stored)
    assert not any("Ngozi" in text or "4711" in text for text in stored)


def test_a_question_without_words_is_not_asked(team):
    answer = post(team.officer, "/guidelines", question="--")
    assert answer.status_code == 422
    assert "Write a question in words" in answer.text


@pytest.mark.parametrize(
    ("file", "form", "text"),
    [
        (None, {}, "No file was chosen."),
        (("a.md", GUIDE), {"valid_from": "soon"}, "This is not a day."),
        (("a.md", b""), {}, "The file is empty."),
    ],
)
def test_an_upload_that_is_not_right_says_what_to_correct(team, file, form, text):
    path = f"/guidelines/upload?csrf_token={token(team.data)}"
    files = {"file": file} if file else {"other": ("", b"")}
    answer = team.data.post(path, files=files, data=form, headers={"Origin": "http://testserver"})
    assert answer.status_code == 422
    assert text in answer.text


def test_a_file_that_cannot_be_read_says_why_and_is_removed(team):
    team.upload("poster.pdf", SCAN)
    text, addresses = team.documents()
    assert "Cannot be read" in text
    assert "The PDF is damaged, or needs a password." in text
    broken = next(address for address in addresses if "poster.pdf" in team.data.get(address).text)
    assert post(team.data, f"{broken}/remove").headers["location"] == "/guidelines/documents?done=removed"
    assert team.data.get(broken).status_code == 404


def test_the_next_version_takes_the_place_of_the_former_which_leads_to_it(team):
    name = "transport.md"
    team.upload(name, b"# Transport\n\nThe clinic pays the bus fare of the first visit.\n")
    (former,) = (each for each in team.documents()[1] if "bus fare" in team.data.get(each).text)
    team.upload(name, b"# Transport\n\nThe clinic pays the bus fare of two visits.\n")
    (newer,) = (each for each in team.documents()[1] if "bus fare" in team.data.get(each).text)
    assert former != newer
    assert former in team.documents(older=True)[1]
    page = team.officer.get(former).text
    assert "This version is no longer in use" in page
    assert f'href="{newer}"' in page


def test_without_guidelines_nothing_is_asked_and_the_page_says_what_to_do(application, make_tenant):
    team = Team(application, make_tenant())
    assert "Ask your data team to add the guidelines" in team.officer.get("/guidelines").text
    assert 'href="/guidelines/upload"' in team.data.get("/guidelines").text
    assert "There are no guidelines yet" in post(team.officer, "/guidelines", question=ANSWERED).text
    with tenant_session(team.tenant, actor="test:1", readonly=True) as session:
        assert session.exec(select(KnowledgeQuestion)).first() is None


def test_no_source_is_said_and_one_that_is_there_is_fetched(team):
    assert "No source yet" in team.data.get("/guidelines/sources").text
    instance = {"kind": "rag-source", "plugin": "folder", "settings": {"folder": "/nowhere"}, "name": "Ministry"}
    source = team.api.post("/v1/plugin-instances", json=instance).json()["id"]
    assert "Not fetched yet" in team.data.get("/guidelines/sources").text
    answer = post(team.data, f"/guidelines/sources/{source}/fetch")
    assert answer.headers["location"] == "/guidelines/sources?done=fetch"
