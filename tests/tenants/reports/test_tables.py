from __future__ import annotations

import csv
import io
import json

import pytest
from openpyxl import load_workbook
from sqlalchemy import text

from core.cli.main import run
from core.errors import Invalid
from tenants.cohort.calendar import period_of
from tenants.cohort.indicators import IN_TERMS, OUT_TERMS
from tenants.reports import service
from tenants.reports.dhis2 import dhis2_period
from tenants.reports.mapping import read_mapping
from tenants.reports.pdf import title as pdf_title

APRIL = {"start": "2025-04-01", "end": "2025-04-30"}
CURR = {"indicator": "TX_CURR", "dataElement": "curr0000001"}


def test_mer_as_csv_has_one_count_a_row_that_reconciles(api, people):
    answer = api.get("/v1/reports/indicators", params={**APRIL, "by": "facility,sex"})
    assert answer.status_code == 200, answer.text
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    counts = {(row["sex"], row["indicator"]): int(row["count"]) for row in rows}
    for sex in {row["sex"] for row in rows}:
        start = counts[sex, "TX_CURR_start"] + sum(counts[sex, name] for name in IN_TERMS)
        assert counts[sex, "TX_CURR"] == start - sum(counts[sex, name] for name in OUT_TERMS)
    assert sum(counts[sex, "TX_RTT"] for sex in {row["sex"] for row in rows}) == 1
    assert {row["facility"] for row in rows} == {"FAC1"}


def test_mer_as_a_workbook_has_a_sheet_per_indicator_and_says_what_it_counts(api, people):
    answer = api.get("/v1/reports/indicators", params={**APRIL, "by": "facility", "format": "xlsx"})
    book = load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == ["TX_CURR", "TX_NEW", "TX_ML", "TX_RTT", "TX_PVLS", "Flows", "About"]
    head, row = book["TX_RTT"].iter_rows(values_only=True)
    assert head == ("facility", "TX_RTT", "TX_RTT_lt3", "TX_RTT_3to5", "TX_RTT_6plus")
    assert row == ("FAC1", 1, 1, 0, 0)
    assert "day 29" in dict(book["About"].iter_rows(values_only=True))["definition"]


def test_a_data_value_set_has_what_dhis2_needs(api, people):
    split = {"indicator": "TX_ML", "dataElement": "ml000000001", "by": ["sex"]}
    mapping = {
        "dataSet": "set00000001",
        "attributeOptionCombo": "mechanism01",
        "orgUnits": {"FAC1": "orgunit0001"},
        "elements": [CURR, {**split, "categoryOptionCombos": {"not recorded": "combo000001"}}],
    }
    answer = api.post("/v1/reports/data-value-sets", json={"period": "2025Q1", "mapping": mapping})
    assert answer.status_code == 200, answer.text
    answer_body = answer.json()
    common = {"period": "2025Q1", "orgUnit": "orgunit0001", "attributeOptionCombo": "mechanism01"}
    assert answer_body == {
        "dataSet": "set00000001",
        "period": "2025Q1",
        "dataValues": [
            {"dataElement": "curr0000001", "value": "1", **common},
            {"dataElement": "ml000000001", "value": "4", "categoryOptionCombo": "combo000001", **common},
        ],
    }


def test_a_count_that_the_mapping_has_no_place_for_is_named(api, people):
    element = {
        "indicator": "TX_ML",
        "dataElement": "ml000000001",
        "by": ["sex"],
        "categoryOptionCombos": {"M": "combo1"},
    }
    answer = api.post("/v1/reports/data-value-sets", json={"period": "2025Q1", "mapping": {"elements": [element]}})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "body.mapping.elements.0.categoryOptionCombos"
    assert "'not recorded'" in error["remedy"]


def test_groups_that_share_a_combination_are_summed_and_zeros_are_sent_when_asked(api, people):
    bands = dict.fromkeys(("not recorded", "30-34"), "all00000001")
    element = {"indicator": "TX_ML", "dataElement": "ml000000001", "by": ["age"], "categoryOptionCombos": bands}
    mapping = {"elements": [element, {"indicator": "TX_RTT", "dataElement": "rtt00000001"}], "zeros": True}
    value_set = api.post("/v1/reports/data-value-sets", json={"period": "2025Q1", "mapping": mapping}).json()
    assert [(value["dataElement"], value["value"]) for value in value_set["dataValues"]] == [
        ("ml000000001", "4"), ("rtt00000001", "0"),
    ]  # fmt: skip


def test_a_set_is_marked_complete_only_when_its_counts_are_final(api, people, store):
    mapping = {"elements": [CURR], "complete": True, "dataSet": "set00000001"}
    body = {"period": "2025Q1", "mapping": mapping, "facility": "FAC1"}
    early = api.post("/v1/reports/data-value-sets", json=body).json()
    assert (early["orgUnit"], "completeDate" in early) == ("FAC1", False)  # records end too early
    with store.session() as session:
        session.execute(text("UPDATE facilities SET complete_through = '2025-04-15'"))
    final = api.post("/v1/reports/data-value-sets", json=body).json()
    assert (final["orgUnit"], final["completeDate"]) == ("FAC1", "2025-03-31")


@pytest.fixture
def running(people, store):
    """The records end on 20 June 2025, within the second quarter."""
    with store.session() as session:
        session.execute(text("UPDATE facilities SET data_date = '2025-06-20'"))


def test_a_set_of_a_period_that_the_records_do_not_cover_is_rejected_with_one_that_can_be_sent(api, running):
    body = {"period": "2025Q2", "mapping": {"elements": [CURR]}}
    answer = api.post("/v1/reports/data-value-sets", json=body)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == "body.period"
    assert "2025-06-20" in error["problem"]
    assert "2025Q1" in error["remedy"]
    assert api.post("/v1/reports/data-value-sets", json={**body, "period": "2025Q1"}).status_code == 200
    api.put("/v1/settings/reports", json={"dhis2": body["mapping"]}, headers={"If-Match": "*"})
    asked = api.post("/v1/reports/files", json={"kind": "dhis2", "format": "json", "period": "2025Q2"})
    assert asked.status_code == 422
    late = api.post("/v1/reports/files", json={"kind": "mer", "format": "csv", "period": "2025Q3"})
    assert late.status_code == 422


def test_tables_of_a_period_that_runs_say_until_which_day_they_count(api, running, store, capfdbinary):
    query = {"period": "2025Q2", "by": "facility"}
    answer = api.get("/v1/reports/indicators", params=query)
    assert {row["as_of"] for row in csv.DictReader(io.StringIO(answer.text))} == {"2025-06-20"}
    assert "mer-2025-04-01-2025-06-20.csv" in answer.headers["content-disposition"]
    book = load_workbook(io.BytesIO(api.get("/v1/reports/indicators", params={**query, "format": "xlsx"}).content))
    about = dict(book["About"].iter_rows(values_only=True))
    assert about["so far"] == "the counts run until 2025-06-20, the period until 2025-06-30"
    ended = api.get("/v1/reports/indicators", params={**query, "period": "2025Q1", "format": "xlsx"})
    assert "so far" not in dict(load_workbook(io.BytesIO(ended.content))["About"].iter_rows(values_only=True))
    with store.session() as session:
        assert "so far: until 2025-06-20" in pdf_title(service.mer_report(session, period_of("2025Q2"), "facility"))
        assert "so far" not in pdf_title(service.mer_report(session, period_of("2025Q1"), "facility"))
    capfdbinary.readouterr()
    assert run(["indicators", store.tenant.slug, "--period", "2025Q2", "--json"]) == 0
    shown = capfdbinary.readouterr()
    assert json.loads(shown.out)["as_of"] == "2025-06-20"
    assert b"so far: the counts run until 2025-06-20" in shown.err


def test_several_organisation_units_cannot_be_completed_at_once(api, people, store):
    store.facility("FAC2")
    mapping = {"elements": [CURR], "complete": True, "dataSet": "set00000001"}
    answer = api.post("/v1/reports/data-value-sets", json={"period": "2025Q1", "mapping": mapping})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.facility"
    assert "one facility" in answer.json()["errors"][0]["remedy"]


def test_zeros_are_sent_for_every_cell_of_every_facility(api, people, store):
    store.facility("FAC2")
    combos = {"F": "female00001", "M": "male0000001", "not recorded": "unknown0001"}
    element = {"indicator": "TX_CURR", "dataElement": "curr0000001", "by": ["sex"], "categoryOptionCombos": combos}
    mapping = {"elements": [element, {"indicator": "TX_RTT", "dataElement": "rtt00000001"}], "zeros": True}
    value_set = api.post("/v1/reports/data-value-sets", json={"period": "2025Q2", "mapping": mapping}).json()
    cells = {(value["orgUnit"], value.get("categoryOptionCombo")): value["value"] for value in value_set["dataValues"]}
    assert cells.keys() == {(unit, combo) for unit in ("FAC1", "FAC2") for combo in (*combos.values(), None)}
    assert {cells["FAC2", combo] for combo in (*combos.values(), None)} == {"0"}
    assert cells["FAC1", "male0000001"] == "0"
    one = api.post("/v1/reports/data-value-sets", json={"period": "2025Q2", "mapping": mapping, "facility": "FAC1"})
    assert {value["orgUnit"] for value in one.json()["dataValues"]} == {"FAC1"}


@pytest.mark.parametrize(
    ("by", "label", "meant"),
    [
        (["sex", "age"], "F|36-40", "F|35-39"),
        (["sex", "age"], "Female|15-19", "F|15-19"),
        (["age"], "70+", "65+"),
        (["time_on_art"], "3-5 month", "3-5 months"),
        (["sex", "age"], "F", "F|<1"),
    ],
)
def test_a_label_that_no_group_ever_has_is_rejected_with_the_nearest(by, label, meant):
    element = {"indicator": "TX_CURR", "dataElement": "a", "by": by, "categoryOptionCombos": {label: "b"}}
    with pytest.raises(Invalid) as rejected:
        read_mapping(json.dumps({"elements": [element]}).encode())
    problem = rejected.value.errors[0].problem
    assert repr(label) in problem
    assert repr(meant) in problem


@pytest.mark.parametrize(
    ("text", "named"),
    [("2026-08", "202608"), ("2026Q3", "2026Q3"), ("FY26Q1", "2025Q4"), ("2026", "2026"), ("FY26", "2025Oct")],
)
def test_periods_have_dhis2_s_names(text, named):
    assert dhis2_period(period_of(text)) == named


def test_a_period_without_a_name_in_dhis2_is_rejected():
    from datetime import date

    with pytest.raises(Invalid, match="no name"):
        dhis2_period(period_of(None, date(2026, 1, 15), date(2026, 2, 14)))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("elements: [", "mapping"),
        ("elements: []", "mapping.elements"),
        ("elements: [{indicator: TX_NONE, dataElement: a}]", "mapping.elements.0"),
        (
            "elements: [{indicator: TX_CURR, dataElement: a, by: [facility], categoryOptionCombos: {F: b}}]",
            "mapping.elements.0",
        ),
        ("elements: [{indicator: TX_CURR, dataElement: a, by: [sex]}]", "mapping.elements.0"),
        ("elements: [{indicator: TX_CURR, dataElement: a b}]", "mapping.elements.0.dataElement"),
        ("x: &a [1]\ny: *a", "mapping"),
    ],
)
def test_a_mapping_that_is_wrong_is_rejected_with_the_key(text, field):
    with pytest.raises(Invalid) as rejected:
        read_mapping(text.encode())
    assert rejected.value.errors[0].field.startswith(field)
    assert rejected.value.errors[0].remedy


def test_the_commands_write_tables_and_sets(people, store, tmp_path, capfdbinary):
    slug = store.tenant.slug
    assert run(["report", "mer", slug, "--period", "2025Q1", "--by", "sex"]) == 0
    assert b"TX_CURR_start" in capfdbinary.readouterr().out
    assert run(["report", "mer", slug, "--period", "2025Q1", "--format", "xlsx", "--to", str(tmp_path / "m.xlsx")]) == 0
    assert "Flows" in load_workbook(tmp_path / "m.xlsx").sheetnames
    mapping = tmp_path / "m.yaml"
    mapping.write_text("elements: [{indicator: TX_CURR, dataElement: curr0000001}]")
    capfdbinary.readouterr()
    assert run(["report", "dhis2", slug, "--period", "2025Q1", "--mapping", str(mapping)]) == 0
    assert json.loads(capfdbinary.readouterr().out)["dataValues"][0]["orgUnit"] == "FAC1"
    assert run(["report", "dhis2", slug, "--period", "soon", "--mapping", str(mapping)]) == 1
