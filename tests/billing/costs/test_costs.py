"""Costs come from rolled-up usage, by command and API; budgets and unusual days inform operators once."""

import csv
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Event

import pytest
from sqlalchemy import text

from billing.costs import notices
from billing.costs.budgets import list_budgets
from billing.costs.rates import BUILT_IN, versions
from billing.costs.service import MOST_DAYS, costs
from core.audit.platform import acts
from core.cli.main import run as iit
from core.clock.time import frozen
from core.database import platform_session
from core.errors import Invalid

DAY = date(2026, 11, 10)
START, END = date(2026, 11, 1), date(2026, 12, 1)
PERIOD = {"start": START.isoformat(), "end": END.isoformat()}
RATES = {
    "vcpu_hour": "0.05",
    "database_gb_month": "0.30",
    "blob_gb_month": "0.03",
    "sms_segment": {"": "0.02", "termii": "0.005"},
    "exchange": {"NGN": "1600"},
}


@pytest.fixture(autouse=True)
def empty(database):
    yield
    from core.database import owner_session

    with owner_session() as session:
        for table in ("cost_tables", "cost_budgets", "cost_notices"):
            session.execute(text(f"DELETE FROM platform.{table}"))  # noqa: S608 - three fixed names


def of(tenant, start=START, end=END):
    with platform_session() as session:
        shown = costs(session, start, end, tenant_id=tenant.id)
    return shown[0] if shown else None


def test_the_batches_of_an_hour_add_up_and_the_latest_measurement_of_a_day_counts(tenant, roll):
    roll(tenant, "job_seconds", 1800, DAY, feature="risk")
    roll(tenant, "job_seconds", 1800, DAY, batch=2, feature="risk")
    roll(tenant, "database_bytes", 10**12, DAY, hour=1)
    roll(tenant, "database_bytes", 30 * 10**9, DAY, hour=2)
    shown = of(tenant)
    rates = BUILT_IN.rates
    assert shown.by_resource == {"compute": rates.vcpu_hour, "database": rates.database_gb_month}
    assert shown.by_day == {DAY: shown.amount}


def test_a_day_belongs_to_the_period_that_it_is_in(tenant, roll):
    for day in (date(2026, 10, 31), START, date(2026, 11, 30), END):
        roll(tenant, "language_model_cost", 1, day, model="m")
    assert of(tenant).amount == 2


def test_tenants_have_costs_of_their_own(two_tenants, roll):
    for tenant, value in zip(two_tenants, (1, 2), strict=True):
        roll(tenant, "language_model_cost", value, DAY, model="m")
    assert [of(tenant).amount for tenant in two_tenants] == [1, 2]


@pytest.mark.parametrize("days", [0, -1, MOST_DAYS + 1])
def test_a_period_that_is_none_is_rejected(database, days):
    with platform_session() as session, pytest.raises(Invalid):
        costs(session, START, START + timedelta(days=days))


class TestPrices:
    def test_new_prices_count_from_their_day_on_and_the_same_again_change_nothing(self, operator_client, tenant, roll):
        for day in (DAY, DAY + timedelta(days=1)):
            roll(tenant, "sms_segments", 1000, day, gateway="termii", purpose="reminders")
        client = operator_client()
        path = f"/v1/operators/billing/cost-tables/{(DAY + timedelta(days=1)).isoformat()}"
        for _ in range(2):
            answer = client.put(path, json={"rates": RATES, "note": "contract"})
            assert answer.status_code == 200, answer.text
        assert of(tenant).by_day == {DAY: Decimal(30), DAY + timedelta(days=1): Decimal(5)}
        tables = client.get("/v1/operators/billing/cost-tables").json()["tables"]
        assert [each["note"] for each in tables] == ["contract", BUILT_IN.note]
        assert [act["action"] for act in acts(actions=["api:cost_table:set"])] == ["api:cost_table:set"]

    def test_a_file_of_prices_is_set_and_a_wrong_one_is_not(self, database, tmp_path, capsys):
        file = tmp_path / "rates.json"
        for content, code in (({**RATES, "vcpu_hour": "-1"}, 1), (RATES, 0)):
            file.write_text(json.dumps(content))
            assert iit(["billing", "rates", "set", str(file), "--effective-on", "2026-11-01", "--note", "x"]) == code
        assert "vcpu_hour" in capsys.readouterr().err
        with platform_session() as session:
            assert [each.effective_on for each in versions(session)] == [START, None]


class TestInterfaces:
    def test_the_command_and_the_api_show_the_same(self, operator_client, tenant, roll, capsys):
        roll(tenant, "job_seconds", 360_000, DAY, feature="risk")
        roll(tenant, "patients_scored", 1000, DAY, model="m")
        answer = operator_client().get("/v1/operators/billing/costs", params=PERIOD | {"tenant": tenant.slug})
        (shown,) = answer.json()["tenants"]
        command = ["billing", "costs", "--start", PERIOD["start"], "--end", PERIOD["end"], "--tenant", tenant.slug]
        assert iit([*command, "--json"]) == 0
        (printed,) = json.loads(capsys.readouterr().out)["tenants"]
        assert (shown["tenant"], shown["amount"], shown["per_prediction"]) == (tenant.slug, "4.00", "0.004000")
        assert {name: shown[name] for name in printed} == printed
        assert iit(command) == 0
        assert tenant.slug in capsys.readouterr().out

    def test_the_focus_file_sums_to_the_costs(self, operator_client, tenant, roll, tmp_path):
        roll(tenant, "job_seconds", 5400, DAY, feature="risk")
        roll(tenant, "blob_bytes", 10**10, DAY)
        answer = operator_client().get("/v1/operators/billing/costs/focus", params=PERIOD)
        assert answer.headers["content-type"].startswith("text/csv")
        file = tmp_path / "focus.csv"
        assert iit(["billing", "focus", "--start", PERIOD["start"], "--end", PERIOD["end"], "--out", str(file)]) == 0
        assert file.read_text() == answer.text
        rows = [row for row in csv.DictReader(answer.text.splitlines()) if row["SubAccountId"] == str(tenant.id)]
        assert {row["SubAccountName"] for row in rows} == {tenant.name}
        assert sum(Decimal(row["BilledCost"]) for row in rows) == of(tenant).amount

    def test_support_sees_no_costs(self, operator_client):
        for path in ("costs?start=2026-11-01&end=2026-12-01", "budgets", "cost-tables", "cost-notices"):
            assert operator_client("platform_support").get(f"/v1/operators/billing/{path}").status_code == 403


class TestBudgets:
    def test_a_budget_is_set_replaced_and_ended(self, operator_client, tenant, capsys):
        client = operator_client()
        for amount in ("100", "200"):
            body = {"tenant": tenant.slug, "amount": amount}
            assert client.put("/v1/operators/billing/budgets", json=body).status_code == 200
        assert iit(["billing", "budgets", "set", "1000", "--threshold", "90"]) == 0
        assert client.get("/v1/operators/billing/budgets").json()["budgets"] == [
            {"tenant": tenant.slug, "amount": "200", "thresholds": [50, 80, 100, 120]},
            {"tenant": None, "amount": "1000", "thresholds": [90]},
        ]
        assert iit(["billing", "budgets", "list"]) == 0
        assert "all together" in capsys.readouterr().out
        named = {"tenant": tenant.slug}
        assert len(client.post("/v1/operators/billing/budgets/remove", json=named).json()["budgets"]) == 1
        assert client.post("/v1/operators/billing/budgets/remove", json=named).status_code == 409
        assert iit(["billing", "budgets", "end"]) == 0
        with platform_session() as session:
            assert list_budgets(session) == []

    @pytest.mark.parametrize("amount", ["0", "-5", "x"])
    def test_a_budget_of_nothing_is_none(self, database, amount):
        assert iit(["billing", "budgets", "set", "--", amount]) in (1, 2)

    def test_each_threshold_informs_once(self, operator_client, tenant, roll):
        client = operator_client()
        client.put("/v1/operators/billing/budgets", json={"tenant": tenant.slug, "amount": "10"})
        roll(tenant, "language_model_cost", 6, DAY, model="m")
        with platform_session() as session:
            assert [each.threshold for each in notices.budgets_reached(session, DAY)] == [50]
            assert notices.budgets_reached(session, DAY) == []
        roll(tenant, "language_model_cost", 5, DAY, batch=2, model="m")
        with platform_session() as session:
            assert [each.threshold for each in notices.budgets_reached(session, DAY)] == [80, 100]
        shown = client.get("/v1/operators/billing/cost-notices").json()["notices"]
        assert [(each["kind"], each["tenant"], each["threshold"]) for each in shown] == [
            ("budget", tenant.slug, 100),
            ("budget", tenant.slug, 80),
            ("budget", tenant.slug, 50),
        ]
        assert client.put(f"/v1/operators/billing/cost-notices/{shown[0]['id']}/seen").status_code == 200
        assert len(client.get("/v1/operators/billing/cost-notices").json()["notices"]) == 2


def test_an_unusual_day_is_noticed_once_and_by_the_loop(tenant, roll):
    for back in range(1, 15):
        roll(tenant, "language_model_cost", 2, DAY - timedelta(days=back), model="m")
    roll(tenant, "language_model_cost", 40, DAY, model="m")
    with frozen(datetime(2026, 11, 11, 1, tzinfo=UTC)):
        notices.look(Event())
        notices.look(Event())
    with platform_session() as session:
        (notice,) = [each for each in notices.unseen(session) if each.tenant_id == tenant.id]
        assert (notice.day, notice.amount, notice.expected) == (DAY, 40, 2)
