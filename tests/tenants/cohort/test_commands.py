from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta

import pytest

from core.cli.main import run

START = date(2025, 1, 1)


@pytest.fixture
def slug(store):
    clinic = store.facility()
    uuid = store.patient(clinic, art_start_date=START, assumed=START, sex="M")
    store.visits(clinic, uuid, START, next_appointment=START + timedelta(90))
    return store.tenant.slug


def test_indicators_as_json_csv_and_table(slug, capsys):
    assert run(["indicators", slug, "--period", "2025Q1", "--by", "sex", "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["rows"][0]["group"] == {"sex": "M"}
    assert report["rows"][0]["counts"]["TX_NEW"] == 1
    assert "provisional" in err
    assert run(["indicators", slug, "--period", "2025Q1", "--by", "sex", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {"sex": "M", "indicator": "TX_CURR", "count": "1"} in rows
    assert run(["indicators", slug, "--start", "2025-01-01", "--end", "2025-03-31"]) == 0
    assert "TX_PVLS_N" in capsys.readouterr().out


def test_a_wrong_period_and_an_unknown_tenant_are_told_plainly(slug, capsys):
    assert run(["indicators", slug, "--period", "soon"]) == 1
    assert "2026Q3" in capsys.readouterr().err
    assert run(["cohort", "nobody-here"]) == 1
    assert "no tenant" in capsys.readouterr().err


def test_the_cohort_of_a_day(slug, capsys):
    assert run(["cohort", slug, "--as-of", "2025-04-15", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["as_of"], report["late"], report["statuses"]["active"]) == ("2025-04-15", 1, 1)
    assert run(["cohort", slug]) == 0
    assert "iit" in capsys.readouterr().out
