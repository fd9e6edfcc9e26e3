"""The forms of the page of reports, without a browser: an error keeps what was typed, and says which field is wrong."""

import re
from datetime import date
from uuid import uuid4

import pytest

from core.database import platform_session, tenant_session
from core.identity.people import members, sessions
from tenants.reports import files, making
from tenants.reports.models import ReportFile
from tests.keyed import KeyedClient

FORM = {"report": "line-list.pdf", "facility": "", "as_of": "2025-05-02", "period": "2025Q1"}
PLAN = {"report": "mer.csv", "facility": "", "of": "quarter", "moment": "week-3", "at_hour": "17", "recipients": ""}


@pytest.fixture(scope="module")
def officer(application, make_tenant):
    """A browser of a data officer whose partner has a clinic with records to 20 May 2025."""
    owner = make_tenant()
    with KeyedClient(application, headers={"Authorization": f"Bearer {owner.api_key}"}) as client:
        client.post("/v1/facilities", json={"datim_id": f"T{uuid4().hex[:10]}", "name": "Clinic"})
        mapping = {"elements": [{"indicator": "TX_CURR", "dataElement": "curr0000001"}]}
        client.put("/v1/settings/reports", json={"dhis2": mapping}, headers={"If-Match": "*"})
    with tenant_session(owner.ref, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("UPDATE facilities SET data_date = %s", (date(2025, 5, 20),))
    email = f"o@{owner.ref.slug}.example.org"
    person = members.add_member(owner.ref, email, "Officer", members.Grant(["data_officer"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, owner.ref.id)
        begun = sessions.begin(session, person, owner.ref.id, signed_in_by="password")
    client = KeyedClient(application, follow_redirects=False)
    client.cookies.set("iit_session", begun.secret)
    return client


@pytest.fixture
def send(officer):
    """Sends a form as the page does; gives the answer."""

    def send(path, form):
        token = re.search(r'name="csrf_token" value="([^"]+)"', officer.get("/reports").text)[1]
        return officer.post(path, data={**form, "csrf_token": token}, headers={"Origin": "http://testserver"})

    return send


def error_at(page, field):
    """The error beside an input; empty if it has none."""
    match = re.search(rf'<p class="field-error" id="{field}-error">(.*?)</p>', page)
    return match[1].strip() if match else ""


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"report": "line-list.doc"}, "report", "Choose one of the list."),
        ({"as_of": "2 May"}, "as_of", "Write it as YYYY-MM-DD."),
        ({"as_of": "0001-01-01"}, "as_of", "1900"),
        ({"facility": "FAC9"}, "facility", "facility"),
        ({"report": "mer.csv", "period": "last"}, "period", "Write 2026Q3"),
        ({"report": "mer.csv", "period": "2025Q3"}, "period", "2025Q1"),
        ({"report": "dhis2.json", "period": "2025Q2"}, "period", "are not final"),
    ],
)
def test_a_report_with_a_wrong_field_is_shown_again_with_what_was_typed(send, change, field, text):
    answer = send("/reports", FORM | change)
    assert answer.status_code == 422
    assert text in error_at(answer.text, field)
    assert f'<a href="#{field}">' in answer.text
    typed = FORM | change
    if field != "as_of":
        assert f'value="{typed["as_of"]}"' in answer.text
    if field != "report":
        assert f'<option value="{typed["report"]}" selected>' in answer.text
    if field == "facility":
        assert '<option value="2025Q1" selected>' in answer.text


def test_a_list_that_is_too_long_for_paper_is_an_error_of_the_report(send, monkeypatch):
    monkeypatch.setattr(making, "MOST_PEOPLE", -1)
    assert "xlsx or csv" in error_at(send("/reports", FORM).text, "report")
    answer = send("/reports/schedules", PLAN | {"report": "line-list.pdf"})
    assert answer.status_code == 422
    assert "xlsx or csv" in error_at(answer.text, "planned")


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"recipients": "nobody@example.org"}, "recipients", "Nobody who can sign in here has the address nobody@"),
        ({"recipients": "nobody"}, "recipients", "Write it as name@example.org."),
        ({"facility": "FAC9"}, "where", "facility"),
        ({"moment": "week-9"}, "moment", "Choose one of the list."),
        ({"at_hour": "25"}, "at_hour", "Choose one of the list."),
        ({"report": ""}, "planned", "Choose one of the list."),
    ],
)
def test_a_schedule_with_a_wrong_field_is_shown_again_with_what_was_typed(send, change, field, text):
    answer = send("/reports/schedules", PLAN | change)
    assert answer.status_code == 422
    assert text in error_at(answer.text, field)
    assert f'<a href="#{field}">' in answer.text
    assert '<option value="quarter" selected>' in answer.text
    for name, value in {"planned": "mer.csv", "moment": "week-3", "at_hour": "17"}.items():
        if name != field:
            assert f'<option value="{value}" selected>' in answer.text
    if typed := change.get("recipients"):
        assert f'value="{typed}"' in answer.text


def test_forms_without_an_error_ask_for_the_report_and_the_schedule(send, officer):
    assert send("/reports", FORM | {"report": "mer.csv"}).status_code == 303
    assert send("/reports/schedules", PLAN).status_code == 303
    page = officer.get("/reports").text
    assert "each Wednesday, at 17:00" in page
    assert "field-error" not in page


def test_a_report_of_a_period_that_goes_on_says_so_in_the_list_and_in_its_name(officer, send):
    send("/reports", FORM | {"report": "mer.csv", "period": "2025Q2"})
    send("/reports", FORM | {"report": "mer.csv", "period": "2025Q1"})
    text = officer.get("/reports").text
    assert "April to June 2025, so far · " in text
    assert "January to March 2025 · " in text
    assert files.name_of(ReportFile(kind="mer", options={"period": "2025Q2", "counted_to": "2025-05-20"})) == (
        "mer-2025Q2-to-2025-05-20"
    )
    assert files.name_of(ReportFile(kind="mer", options={"period": "2025Q1"})) == "mer-2025Q1"
