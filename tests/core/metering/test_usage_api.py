"""A tenant sees its own use by meter, day and hour, and the uses behind each figure; operators see all."""

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from core.database import tenant_session
from core.metering import seconds, usage
from core.metering.commands import usage as commands
from core.metering.corrections import correct
from tests.core.metering.conftest import use
from tests.ledger import roll_up

AT = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)
MARCH = {"since": "2026-03-01", "until": "2026-04-01"}


@pytest.fixture(scope="module")
def partner(make_tenant):
    """A tenant with three uses, of which one is corrected; all rolled up."""
    created = make_tenant()
    use(created.ref, "a", 5, at=AT)
    use(created.ref, "b", 7, at=AT.replace(day=9))
    use(created.ref, "wrong", 100, at=AT)
    with tenant_session(created.ref, actor="test:1") as session:
        correct(session, "import_rows", key="wrong", reason="twice")
    roll_up()
    return created


@pytest.fixture
def get(partner, application, client_for):
    client = client_for(application, partner.api_key)
    return lambda path, **query: client.get(f"/v1/usage{path}", params=query)


def rows(answer):
    (meter,) = answer.json()["meters"]
    return {row["begin"]: row["quantity"] for row in meter["rows"]}


def test_the_use_of_a_month_says_until_when_it_is_complete(get):
    answer = get("", meter="import_rows", **MARCH).json()
    (meter,) = answer["meters"]
    assert (meter["quantity"], meter["unit"], meter["aggregation"], meter["rows"]) == ("12", "row", "sum", [])
    assert answer["batch"] > 0
    assert answer["complete_until"] is not None


def test_days_are_those_of_the_tenant(get):
    assert rows(get("", meter="import_rows", by="day", **MARCH)) == {
        "2026-03-05T00:00:00+01:00": "5",
        "2026-03-10T00:00:00+01:00": "7",
    }


def test_hours_are_instants(get):
    assert rows(get("", meter="import_rows", by="hour", since="2026-03-04", until="2026-03-06")) == {
        "2026-03-04T23:00:00Z": "5"
    }


def test_a_figure_opens_to_its_uses(get):
    answer = get("/events", meter="import_rows", **MARCH).json()
    assert sum(float(each["value"]) for each in answer["items"]) == 12
    assert answer["total"] == 4
    assert [each["reason"] for each in answer["items"] if each["corrects"]] == ["twice"]


def test_an_unknown_meter_and_a_span_without_end_are_rejected(get):
    assert get("", meter="nothing").status_code == 404
    assert get("/events", meter="nothing").status_code == 404
    assert get("", since="2026-03-01", until="2026-02-01").status_code == 422
    assert get("", by="hour", since="2026-01-01", until="2026-03-01").status_code == 422


def test_the_commands_say_the_same(partner):
    def run(*arguments):
        result = CliRunner().invoke(commands, [*arguments, "--json"])
        assert result.exit_code == 0, result.output
        return result.stdout

    slug, month = partner.ref.slug, ("--since", "2026-03-01", "--until", "2026-04-01")
    assert '"quantity": "12"' in run("show", slug, *month, "--meter", "import_rows")
    assert '"total": 4' in run("events", slug, "import_rows", *month)
    use(partner.ref, "more", 3, meter="imports")
    assert '"value": "3"' in run("correct", slug, "imports", "--key", "more", "--reason", "by mistake")
    assert '"complete_until"' in run("roll-up")


def test_operators_see_every_tenant_and_how_far_the_ledgers_are(partner):
    totals = usage.totals_of_tenants(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    assert totals[partner.ref.id]["import_rows"] == 12
    assert "default" in [ledger.database for ledger in usage.ledgers()]


def test_calls_and_people_are_counted_without_a_row_for_each(tenant, monkeypatch):
    ledger = seconds.SecondsLedger(active=True)
    monkeypatch.setattr(seconds, "LEDGER", ledger)
    for _ in range(3):
        seconds.count_request(tenant.id, "api_key", "k")
        seconds.count_request(tenant.id, "person", "p1")
    seconds.count_request(tenant.id, "person", "p2")
    seconds.count_request(tenant.id, "operator", "o")
    assert ledger.flush() == 1
    with tenant_session(tenant, actor="test:1", readonly=True) as session, session.cursor() as cursor:
        stored = cursor.execute("SELECT meter, value::int FROM node.usage_events ORDER BY meter, value").fetchall()
    assert stored == [("active_people", 1), ("active_people", 1), ("api_calls", 3)]
