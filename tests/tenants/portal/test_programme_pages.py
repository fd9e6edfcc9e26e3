"""The pages of the programme, without a browser: a period that goes on after the data date says so."""

from datetime import date
from uuid import uuid4

import pytest

from core.clock import now
from core.database import platform_session, tenant_session
from core.identity.people import members, sessions
from tenants.portal import programme_view
from tenants.risk.models import AccuracyMonth
from tests.keyed import KeyedClient

NOTICE = "So far: the numbers run until 20 May 2025"


@pytest.fixture(scope="module")
def partner(application, make_tenant):
    """A partner that has a clinic with records to 20 May 2025."""
    owner = make_tenant()
    body = {"datim_id": f"T{uuid4().hex[:10]}", "name": "Clinic"}
    with KeyedClient(application, headers={"Authorization": f"Bearer {owner.api_key}"}) as client:
        client.post("/v1/facilities", json=body)
    with tenant_session(owner.ref, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("UPDATE facilities SET data_date = %s", (date(2025, 5, 20),))
    return owner.ref


@pytest.fixture(scope="module")
def reader(application, partner):
    """A browser of a data officer."""
    email = f"c@{partner.slug}.example.org"
    person = members.add_member(
        partner, email, "Officer", members.Grant(["data_officer", "case_manager"]), actor="test:1"
    )
    with platform_session() as session:
        members.accept(session, person, partner.id)
        begun = sessions.begin(session, person, partner.id, signed_in_by="password")
    client = KeyedClient(application)
    client.cookies.set("iit_session", begun.secret)
    return client


@pytest.mark.parametrize("path", ["/programme?period=", "/programme/people?show=TX_ML&period="])
def test_a_period_that_goes_on_after_the_data_date_says_until_when_its_numbers_run(reader, path):
    going_on, ended = (reader.get(f"{path}{period}").text for period in ("2025Q2", "2025Q1"))
    assert NOTICE in going_on
    assert "The quarter runs until 30 Jun 2025." in going_on
    assert "April to June 2025, so far" in going_on
    assert "So far" not in ended
    assert "The month runs until 31 May 2025." in reader.get(f"{path}2025-05").text
    assert "The period runs until 31 Dec 2025." in reader.get(f"{path}2025").text


def test_the_pages_open_with_the_last_quarter_that_the_records_cover(reader, partner):
    selected = '<option value="2025Q1" selected>'
    for path in ("/programme", "/reports"):
        page = reader.get(path).text
        assert selected in page, path
        assert "Apr to Jun 2025, so far" in page
        assert "2025Q3" not in page
    with tenant_session(partner, actor="test:1") as session:
        assert programme_view.newest_periods(session) == [
            ("2025Q1", "January to March 2025"),
            ("2025Q2", "April to June 2025, so far"),
        ]
        session.cursor().execute("UPDATE facilities SET data_date = '2025-06-30'")
        assert programme_view.newest_periods(session) == [("2025Q2", "April to June 2025")]
        session.rollback()


def test_a_period_that_goes_on_is_complete_through_the_data_date_and_not_its_end(reader, partner):
    with tenant_session(partner, actor="test:1") as session:
        session.cursor().execute("UPDATE facilities SET complete_through = '2025-05-20'")
    assert "complete through 20 May 2025 at 1 of 1 clinics" in reader.get("/programme?period=2025Q2").text
    assert "complete through 31 Mar 2025 at 1 of 1 clinics" in reader.get("/programme?period=2025Q1").text


def test_a_period_that_the_records_do_not_reach_is_rejected(reader):
    answer = reader.get("/programme?period=2025Q3")
    assert answer.status_code == 422
    assert "2025Q1" in answer.text


def test_the_page_shows_how_the_predictions_turned_out(reader, partner):
    heading = "How the predictions turned out"
    assert heading not in reader.get("/programme").text
    estimate = {"value": 0.7712, "low": 0.75, "high": 0.79}
    undefined = {"value": None, "low": None, "high": None}
    with tenant_session(partner, actor="test:1") as session:
        session.add(
            AccuracyMonth(
                month=date(2025, 3, 1),
                decisions=200,
                patients=190,
                interrupted=20,
                listed=50,
                listed_interrupted=11,
                competing=3,
                mean_risk=0.124,
                figures={"roc_auc": estimate, "brier": undefined},
                measured_at=now(),
            )
        )
    page = reader.get("/programme").text
    assert heading in page
    for shown in ("March 2025", "12.4%", "10.0%", "22.0%", "6.0%", "0.771 (0.75\N{EN DASH}0.79)"):
        assert shown in page
