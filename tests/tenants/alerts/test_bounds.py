"""What admins set up costs few queries, and two at the same time do not pass a bound."""

from datetime import timedelta
from threading import Thread
from uuid import uuid4

import pytest
from psycopg.sql import SQL
from sqlalchemy import event

from core.clock import now, today
from core.database import tenant_session
from core.errors import Conflict, Invalid
from tenants.alerts import live, management
from tenants.alerts.models import AlertPolicy, OnCallOverride, OnCallRota
from tenants.portal.on_call_view import turns_of
from tests.tenants.followup.scored import ZONE


@pytest.fixture(scope="module")
def place(make_tenant):
    return make_tenant()


def statements_of(session):
    """The statements that a session runs from now on."""
    seen = []
    event.listen(session.connection(), "before_cursor_execute", lambda *values: seen.append(values[2]))
    return seen


def test_a_route_of_many_facilities_looks_them_up_at_once_and_names_each_wrong_one(place, application, client_for):
    client, names = client_for(application, place.api_key), [f"R{uuid4().hex[:10]}" for _ in range(3)]
    for name in names:
        client.post("/v1/facilities", json={"datim_id": name, "name": "Clinic"})
    with tenant_session(place.ref, actor="test:1") as session:
        seen = statements_of(session)
        assert len(management.facilities_named(session, names)) == 3
        assert len(seen) == 1
        with pytest.raises(Invalid) as raised:
            management.facilities_named(session, ["nowhere", names[0], "nobody"])
    assert [each.field for each in raised.value.errors] == ["facilities.0", "facilities.2"]


def test_the_turns_of_all_rotas_take_two_queries(place):
    person, channel = str(uuid4()), str(uuid4())
    member = {"person_id": person, "channel_id": channel}
    with tenant_session(place.ref, actor="test:1") as session:
        rotas = [OnCallRota(name=name, members=[member], first_day=today(ZONE), created_by="t") for name in "abc"]
        session.add_all(rotas)
        session.flush()
        times = {"since": now() - timedelta(minutes=1), "until": now() + timedelta(days=40)}
        session.add(OnCallOverride(rota_id=rotas[1].id, person_id=uuid4(), created_by="t", **times))
        session.flush()
        seen = statements_of(session)
        everybody = turns_of(session, now())
        assert len(seen) == 2
        assert [each.rota.name for each in everybody if each.present and each.present.override] == ["b"]


def test_two_who_add_a_policy_at_the_same_time_do_not_pass_the_bound(place, monkeypatch):
    monkeypatch.setattr(management, "MOST", 1)
    ends = []

    def add():
        try:
            with tenant_session(place.ref, actor="test:1") as session:
                management.add(session, AlertPolicy, {"name": "p", "steps": []}, source="api")
            ends.append("added")
        except Conflict:
            ends.append("full")

    with tenant_session(place.ref, actor="test:1") as session:
        management.add(session, AlertPolicy, {"name": "first", "steps": []}, source="api")
        other = Thread(target=add)
        other.start()
        other.join(0.3)
    other.join()
    assert ends == ["full"]


def test_an_index_finds_what_live_pages_and_the_filter_of_a_digest_read(place):
    with tenant_session(place.ref, actor="test:1") as session, session.cursor() as cursor:
        mark = live._SUMS.format(within_reach=SQL("true"))
        cursor.execute("SET LOCAL enable_seqscan = off")  # the table is small here: what remains is what no index has
        plans = [
            "\n".join(row[0] for row in cursor.execute(query, values))
            for query, values in (
                (SQL("EXPLAIN ") + mark, {"since": now()}),
                ("EXPLAIN SELECT FROM alerts WHERE digest_id = %(id)s", {"id": uuid4()}),
            )
        ]
    assert ["Seq Scan on alerts" in plan for plan in plans] == [False, False]
