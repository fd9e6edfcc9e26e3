"""What a day's use costs is its quantity times the price of the table that counts on that day."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.costs.pricing import DayUse, price
from billing.costs.rates import BUILT_IN, Rates, RateVersion, version_on
from billing.costs.service import summed

TENANT, OTHER = UUID(int=1), UUID(int=2)
DAY = date(2026, 2, 10)
RATES = Rates(
    vcpu_hour=Decimal("0.04"),
    database_gb_month=Decimal("0.28"),
    blob_gb_month=Decimal("0.028"),
    sms_segment={"": Decimal("0.03"), "termii": Decimal("0.004")},
    exchange={"NGN": Decimal(1600)},
)
TABLE = RateVersion(number=1, effective_on=date(2026, 1, 1), rates=RATES, note="contract")


def use(meter, quantity, day=DAY, tenant=TENANT, **dimensions):
    return DayUse(tenant, day, meter, dimensions, Decimal(quantity))


@pytest.mark.parametrize(
    ("used", "resource", "feature", "quantity", "amount"),
    [
        (use("job_seconds", 5400, feature="risk"), "compute", "risk", "1.5", "0.06"),
        (use("request_seconds", 36, feature="portal"), "compute", "portal", "0.01", "0.0004"),
        # 28 GB on one of February's 28 days is a GB month.
        (use("database_bytes", 28_000_000_000), "database", "storage", "1", "0.28"),
        (use("database_bytes", 31_000_000_000, date(2026, 3, 1)), "database", "storage", "1", "0.28"),
        (use("blob_bytes", 14_000_000_000), "files", "storage", "0.5", "0.014"),
        (use("sms_segments", 100, gateway="termii", purpose="reminder"), "sms", "messages", "100", "0.4"),
        (use("sms_segments", 100, gateway="kannel"), "sms", "messages", "100", "3"),
        (use("language_model_cost", "4.18", model="m-1"), "language_model", "knowledge", "4.18", "4.18"),
    ],
)
def test_a_resource_is_priced_by_its_unit(used, resource, feature, quantity, amount):
    (line,) = price([used], [TABLE, BUILT_IN])
    assert (line.resource, line.feature) == (resource, feature)
    assert (line.quantity, line.amount) == (Decimal(quantity), Decimal(amount))


def test_each_day_has_the_newest_table_that_is_effective_by_then():
    correction = RateVersion(number=2, effective_on=DAY, rates=RATES, note="")
    every = [correction, TABLE, BUILT_IN]
    days = {
        number: version_on(every, day).number for number, day in enumerate([date(2025, 12, 31), date(2026, 1, 1), DAY])
    }
    assert days == {0: 0, 1: 1, 2: 2}


def test_jobs_and_requests_of_a_feature_are_one_line_a_day():
    lines = price(
        [
            use("job_seconds", 1800, feature="risk"),
            use("request_seconds", 1800, feature="risk"),
            use("job_seconds", 3600, feature="imports"),
            use("job_seconds", 3600, day=DAY + timedelta(days=1), feature="risk"),
        ],
        [TABLE],
    )
    assert [(line.day, line.feature, line.quantity) for line in lines] == [
        (DAY, "imports", 1),
        (DAY, "risk", 1),
        (DAY + timedelta(days=1), "risk", 1),
    ]


def test_a_prediction_costs_the_predicting_feature_over_the_people_who_got_a_score():
    uses = [
        use("job_seconds", 90_000, feature="risk"),
        use("job_seconds", 90_000, feature="imports"),
        use("patients_scored", 2000, model="m-1"),
        use("patients_scored", 500, tenant=OTHER),
    ]
    ours, others = summed(price(uses, [TABLE]), uses)
    assert (ours.amount, ours.per_prediction) == (Decimal(2), Decimal("0.0005"))
    assert (others.amount, others.predictions, others.per_prediction) == (0, 500, 0)


@given(
    st.lists(
        st.builds(
            use,
            st.sampled_from(["job_seconds", "database_bytes", "blob_bytes", "sms_segments", "language_model_cost"]),
            st.integers(0, 10**13),
            st.dates(date(2025, 12, 1), date(2026, 4, 1)),
            st.sampled_from([TENANT, OTHER]),
            feature=st.sampled_from(["risk", "imports"]),
            gateway=st.sampled_from(["termii", "x"]),
        ),
        max_size=30,
    )
)
def test_sums_by_tenant_feature_resource_and_day_agree(uses):
    lines = price(uses, [TABLE, BUILT_IN])
    for each in summed(lines, uses):
        own = sum(line.amount for line in lines if line.tenant_id == each.tenant_id)
        assert each.amount == own
        for table in (each.by_feature, each.by_resource, each.by_day):
            assert sum(table.values()) == own
    assert all(line.amount >= 0 for line in lines)


def test_amounts_of_other_currencies_need_a_rate():
    assert RATES.in_dollars(Decimal(3200), "NGN") == 2
    assert RATES.in_dollars(Decimal(5), "USD") == 5
    assert RATES.in_dollars(Decimal(5), "XOF") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"vcpu_hour": "-1"},
        {"sms_segment": {"Not a plugin!": "1"}},
        {"exchange": {"NGN": "0"}},
        {"exchange": {"naira": "1"}},
        {"tokens": "1"},
    ],
)
def test_prices_that_make_no_sense_are_rejected(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Rates.model_validate({**RATES.model_dump(mode="json"), **wrong})
