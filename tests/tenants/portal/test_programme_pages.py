"""The pages of the programme, without a browser: a period that goes on after the data date says so."""

from datetime import date
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from core.database import platform_session, tenant_session
from core.identity.people import members, sessions

NOTICE = "The records do not cover the whole period"


@pytest.fixture
def reader(application, client_for, make_tenant):
    """A browser of a case manager whose partner has a clinic with records to 20 May 2025."""
    owner = make_tenant()
    body = {"datim_id": f"T{uuid4().hex[:10]}", "name": "Clinic"}
    client_for(application, owner.api_key).post("/v1/facilities", json=body)
    with tenant_session(owner.ref, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("UPDATE facilities SET data_date = %s", (date(2025, 5, 20),))
    email = f"c@{owner.ref.slug}.example.org"
    person = members.add_member(owner.ref, email, "Case", members.Grant(["case_manager"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, owner.ref.id)
        begun = sessions.begin(session, person, owner.ref.id, signed_in_by="password")
    client = TestClient(application)
    client.cookies.set("iit_session", begun.secret)
    return client


@pytest.mark.parametrize("path", ["/programme?period=", "/programme/people?show=TX_ML&period="])
def test_a_period_that_goes_on_after_the_data_date_says_what_its_numbers_assume(reader, path):
    going_on, ended = (reader.get(f"{path}{period}").text for period in ("2025Q2", "2025Q1"))
    assert NOTICE in going_on
    assert "They end on 20 May 2025." in going_on
    assert "nobody came again between then and 30 Jun 2025" in going_on
    assert NOTICE not in ended
