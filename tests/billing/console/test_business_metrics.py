"""Prometheus gets of the business what the console shows, and nothing of what is past."""

from decimal import Decimal
from threading import Event
from types import SimpleNamespace
from uuid import uuid4

import pytest

from billing.console import business_metrics
from billing.costs.service import TenantCosts

NORTH, GONE = uuid4(), uuid4()


@pytest.fixture
def stand(database, monkeypatch):
    shown = SimpleNamespace(
        recurring=[("NGN", Decimal(400)), ("USD", Decimal("12.5"))],
        overdue=[("NGN", 2, Decimal(99))],
        paying=3,
        trials=1,
        invoiced=Decimal(10),
        cost=Decimal("2.5"),
        slugs={NORTH: "north"},
    )
    monkeypatch.setattr(business_metrics, "overview", lambda: shown)
    monkeypatch.setattr(
        business_metrics, "costs", lambda *_: [TenantCosts(NORTH, Decimal(7)), TenantCosts(GONE, Decimal(1))]
    )
    return shown


def values(gauge):
    (reading,) = gauge.reading()
    return {sample.labels[0]: sample.value for sample in reading.samples}


def test_the_gauges_are_those_of_the_overview_and_forget_a_currency_that_nobody_pays_in(stand):
    business_metrics.look(Event())
    assert values(business_metrics.RECURRING) == {"NGN": 400.0, "USD": 12.5}
    assert values(business_metrics.OVERDUE) == {"NGN": 99.0}
    assert values(business_metrics.PARTNERS) == {"paying": 3.0, "trial": 1.0}
    assert values(business_metrics.MONTH) == {"invoiced": 10.0, "cost": 2.5}
    assert values(business_metrics.COSTS) == {"north": 7.0}
    stand.recurring, stand.overdue = [("USD", Decimal(12))], []
    business_metrics.look(Event())
    assert (values(business_metrics.RECURRING), values(business_metrics.OVERDUE)) == ({"USD": 12.0}, {})


def test_what_the_console_shows_can_be_read(database):
    business_metrics.look(Event())
    assert set(values(business_metrics.PARTNERS)) == {"paying", "trial"}
