"""Use is counted once per key, in the transaction of its effect, for the tenant whose transaction it is."""

from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest

from core import metering
from core.database import tenant_session
from core.feature_registry import Feature, Meter, features
from core.metering import service


def totals(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        return metering.totals(session)


def test_a_meter_that_was_never_used_is_zero(tenant):
    assert totals(tenant) == dict.fromkeys(metering.meters(), Decimal(0))


def test_the_same_key_counts_once_and_another_key_adds(session):
    assert metering.record(session, "import_rows", 10, key="import 1")
    assert not metering.record(session, "import_rows", 10, key="import 1")
    assert metering.record(session, "import_rows", Decimal("2.5"), key="import 2")
    assert metering.record(session, "imports", 1, key="import 1")
    totals = metering.totals(session)
    assert (totals["import_rows"], totals["imports"]) == (Decimal("12.5"), 1)


def test_what_was_rolled_back_was_not_used(tenant):
    with pytest.raises(ZeroDivisionError), tenant_session(tenant, actor="test:1") as session:
        metering.record(session, "imports", 1, key="a")
        raise ZeroDivisionError
    assert totals(tenant)["imports"] == 0
    assert service.USED.value("imports", tenant.slug) == 0


def test_the_metric_counts_what_was_committed_once(tenant, monkeypatch):
    monkeypatch.setattr(service, "USED", SimpleNamespace(add=lambda *use, amount: counted.append((*use, amount))))
    counted = []
    for _ in range(2):
        with tenant_session(tenant, actor="test:1") as session:
            metering.record(session, "patients_scored", 7, key="a")
            assert counted in ([], [("patients_scored", tenant.slug, 7.0)])
    assert counted == [("patients_scored", tenant.slug, 7.0)]


def test_tenants_have_meters_of_their_own(two_tenants):
    first, second = two_tenants
    for tenant, value in ((first, 1), (second, 2)):
        with tenant_session(tenant, actor="test:1") as session:
            assert metering.record(session, "patients_scored", value, key="the same key")
    assert (totals(first)["patients_scored"], totals(second)["patients_scored"]) == (1, 2)


def test_an_unknown_meter_is_rejected(session):
    with pytest.raises(LookupError, match="patients_scored"):
        metering.record(session, "patients_scoerd", 1, key="a")


@pytest.mark.parametrize(("value", "key"), [(-1, "a"), (Decimal("NaN"), "a"), (Decimal("Infinity"), "a"), (1, "")])
def test_a_use_of_no_amount_or_no_name_is_rejected(session, value, key):
    with pytest.raises(ValueError, match="a use needs"):
        metering.record(session, "imports", value, key=key)


def test_a_dimension_that_the_meter_does_not_declare_is_rejected(session):
    with pytest.raises(LookupError, match="declares no dimension patient"):
        metering.record(session, "patients_scored", 1, key="a", dimensions={"patient": "x"})


def test_a_time_without_a_zone_is_rejected(session):
    with pytest.raises(ValueError, match="time zone"):
        metering.record(session, "imports", 1, key="a", occurred_at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_two_features_cannot_declare_one_meter(monkeypatch):
    twin = Feature(name="twin", meters=(Meter("imports", "import", "The same again."),))
    installed = features()
    monkeypatch.setattr("core.feature_registry.features", lambda: (*installed, twin))
    service.meters.cache_clear()
    with pytest.raises(RuntimeError, match="'imports' is declared twice"):
        service.meters()
    monkeypatch.undo()
    assert "imports" in service.meters()
