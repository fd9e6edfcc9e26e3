"""The FOCUS file has version 1.2's mandatory columns, values of its lists, and sums to the costs."""

import csv
import json
import re
from datetime import date
from decimal import Decimal
from uuid import UUID

from billing.costs import focus
from billing.costs.pricing import CostLine

TENANT = UUID(int=1)
# The columns whose feature level is mandatory in the specification's version 1.2, and those of them that take no null.
MANDATORY_1_2 = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName",
}  # fmt: skip
CATEGORIES_1_2 = {"AI and Machine Learning", "Compute", "Databases", "Integration", "Storage"}
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT00:00:00Z")


def line(resource, day=date(2026, 11, 3), quantity="1.5", unit_price="0.04", part=""):
    return CostLine(TENANT, day, resource, "risk", part, Decimal(quantity), Decimal(unit_price), 3)


LINES = [
    line("compute"),
    line("database", quantity="0.000000001", unit_price="0.25"),
    line("files"),
    line("sms", quantity="1200", unit_price="0.004", part="termii"),
    line("language_model", date(2026, 12, 31), "4.18", "1", "m-1"),
]


def rows(lines=LINES, names=None):
    text = "".join(focus.csv_lines(lines, {TENANT: 'Lakeside, "Care"'} if names is None else names))
    return list(csv.DictReader(text.splitlines()))


def test_the_mandatory_columns_come_in_order_and_our_own_last():
    header = next(iter(focus.csv_lines([], {}))).strip().split(",")
    assert set(focus.MANDATORY) == MANDATORY_1_2
    assert set(header) >= MANDATORY_1_2
    of_the_specification = [name for name in header if not name.startswith("x_")]
    assert of_the_specification == sorted(of_the_specification)
    assert header == [*of_the_specification, *focus.OWN]


def test_only_the_column_that_takes_a_null_is_empty():
    for row in rows():
        assert [name for name in MANDATORY_1_2 if not row[name]] == ["ChargeClass"]


def test_costs_sum_to_the_lines_and_are_quantity_times_unit_price():
    shown = rows()
    for column in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"):
        assert sum(Decimal(row[column]) for row in shown) == sum(each.amount for each in LINES)
    for row in shown:
        assert Decimal(row["ListUnitPrice"]) * Decimal(row["PricingQuantity"]) == Decimal(row["ListCost"])
        assert Decimal(row["ContractedUnitPrice"]) * Decimal(row["PricingQuantity"]) == Decimal(row["ContractedCost"])


def test_values_have_the_forms_of_the_specification():
    for row in rows():
        assert row["ServiceCategory"] in CATEGORIES_1_2
        assert (row["ChargeCategory"], row["PricingCategory"]) == ("Usage", "Standard")
        assert re.fullmatch("[A-Z]{3}", row["BillingCurrency"])
        assert all(NUMBER.fullmatch(row[name]) for name in ("BilledCost", "PricingQuantity", "ListUnitPrice"))
        for period in ("BillingPeriod", "ChargePeriod"):
            start, end = row[f"{period}Start"], row[f"{period}End"]
            assert MOMENT.fullmatch(start)
            assert MOMENT.fullmatch(end)
            assert start < end
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        assert json.loads(row["Tags"]) == {"feature": "risk"}


def test_a_name_keeps_its_commas_and_a_deleted_partner_its_id():
    assert {row["SubAccountName"] for row in rows()} == {'Lakeside, "Care"'}
    assert {row["SubAccountName"] for row in rows(names={})} == {str(TENANT)}
