"""Old observations go by year and come back exactly; what present answers read stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from core import blobs
from core.cli.main import run
from core.database import owner_connection, tenant_session
from core.errors import Conflict, Invalid, NotFound
from tenants.records import archiving
from tenants.records.archiving import archive, archived, restore
from tests.tenants.cohort.conftest import Store

ROWS = "SELECT row_to_json(o)::text FROM observations AS o ORDER BY version_id"
LATEST = (
    "SELECT patient_uuid, variable_name, obs_datetime, value_numeric FROM ("
    " SELECT *, row_number() OVER (PARTITION BY patient_uuid, variable_name ORDER BY obs_datetime DESC, uuid) AS place"
    " FROM observations WHERE known_to IS NULL AND NOT voided) AS o WHERE place <= 2 ORDER BY 1, 2, 3, 4"
)


def rows(tenant, query=ROWS):
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        return session.cursor().execute(query).fetchall()


def at(year, month=3):
    return datetime(year, month, 2, 9, tzinfo=UTC)


def seen(store, years, variable="viral_load"):
    """A patient with one result in each of these years, each known at once."""
    clinic = store.facility()
    number = len(store.numbers) + 1
    store.numbers[object, number] = None
    patient = store.patient(clinic, number, art_start_date=None, stamp=at(2000))
    for place, year in enumerate(years):
        result = {"variable_name": variable, "value_numeric": float(year), "obs_datetime": at(year)}
        store.observe(clinic, patient, {"number": number * 100 + place, "stamp": at(year), **result})
    return patient


@pytest.fixture
def store(make_tenant):
    return Store(make_tenant().ref)


def test_years_go_and_come_back_as_they_were(store):
    seen(store, range(2008, 2018))
    before, latest = rows(store.tenant), rows(store.tenant, LATEST)
    moved = archive(store.tenant, 2018, actor="test:1")
    assert moved.rows == dict.fromkeys(range(2008, 2016), 1)
    assert len(rows(store.tenant)) == 2
    assert rows(store.tenant, LATEST) == latest
    assert archive(store.tenant, 2018, actor="test:1").rows == {}, "what has gone is gone once"
    for year in moved.rows:
        assert restore(store.tenant, year, actor="test:1").rows == {year: 1}
    assert rows(store.tenant) == before
    assert blobs.permanent_keys(store.tenant) == []
    with pytest.raises(NotFound):
        restore(store.tenant, 2008, actor="test:1")


def test_a_text_with_any_character_that_ends_a_line_somewhere_comes_back(store):
    patient = seen(store, [2008, 2009])
    number = len(store.numbers) * 100 + 50
    odd = "Aaa\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r\n."
    result = {"variable_name": "viral_load", "value_text": odd, "obs_datetime": at(2007)}
    store.observe(store.facility(), patient, {"number": number, "stamp": at(2007), **result})
    before = rows(store.tenant)
    assert archive(store.tenant, 2018, actor="test:1").rows == {2007: 1}
    restore(store.tenant, 2007, actor="test:1")
    assert rows(store.tenant) == before


@pytest.mark.parametrize("day", ["0001-01-01", "0044-03-15 BC"])
def test_a_date_that_makes_no_sense_keeps_no_year_from_being_archived(store, day):
    patient = seen(store, [2007, 2008, 2009, 2010])
    with tenant_session(store.tenant, actor="test:1") as session:
        session.cursor().execute(
            "UPDATE observations SET obs_datetime = %s WHERE patient_uuid = %s AND value_numeric = 2007", (day, patient)
        )
    assert archive(store.tenant, 2018, actor="test:1").rows == {2008: 1}


def test_a_year_that_was_archived_before_a_migration_comes_back_after_it(store):
    seen(store, [2007, 2008, 2009])
    before = len(rows(store.tenant))
    assert archive(store.tenant, 2018, actor="test:1").rows == {2007: 1}
    with owner_connection() as connection:
        table = sql.Identifier(store.tenant.schema_name, "observations")
        connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN added text NOT NULL DEFAULT 'x'").format(table))
    restore(store.tenant, 2007, actor="test:1")
    assert rows(store.tenant, "SELECT added FROM observations") == [("x",)] * before


def test_the_last_two_results_stay_however_old(store):
    seen(store, [2001, 2002])
    assert archive(store.tenant, 2018, actor="test:1").rows == {}


def test_a_voided_result_counts_for_none_of_the_two_and_goes_with_its_history(store):
    clinic, patient = store.facility(), seen(store, [2010, 2011, 2012])
    number = len(store.numbers) * 100 + 50
    result = {"variable_name": "viral_load", "value_numeric": 1.0, "obs_datetime": at(2009)}
    store.observe(clinic, patient, {"number": number, "stamp": at(2009), **result})
    store.observe(clinic, patient, {"number": number, "stamp": at(2013), "voided": True, **result})
    before = rows(store.tenant)
    assert archive(store.tenant, 2018, actor="test:1").rows == {2009: 2, 2010: 1}
    restore(store.tenant, 2009, actor="test:1")
    restore(store.tenant, 2010, actor="test:1")
    assert rows(store.tenant) == before


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(st.lists(st.integers(2005, 2019), max_size=6), min_size=1, max_size=3), before=st.integers(2006, 2020)
)
def test_archived_and_restored_is_the_same_table(make_tenant, data, before):
    store = Store(make_tenant().ref)
    for years in data:
        seen(store, sorted(years))
    whole, latest = rows(store.tenant), rows(store.tenant, LATEST)
    moved = archive(store.tenant, before, actor="test:1")
    assert rows(store.tenant, LATEST) == latest
    for year in moved.rows:
        restore(store.tenant, year, actor="test:1")
    assert rows(store.tenant) == whole


def test_recent_years_stay(store):
    with pytest.raises(Invalid) as rejected:
        archive(store.tenant, 2100, actor="test:1")
    assert rejected.value.errors[0].field == "before"


def test_rows_that_change_while_they_are_stored_are_not_deleted(store, monkeypatch):
    patient = seen(store, [2008, 2009, 2010])
    whole = rows(store.tenant)
    put = blobs.put

    def meddling(tenant, name, data, **options):
        stored = put(tenant, name, data, **options)
        with tenant_session(tenant, actor="test:1") as session:
            session.cursor().execute("UPDATE observations SET unit = 'x' WHERE patient_uuid = %s", (patient,))
        return stored

    monkeypatch.setattr(archiving.blobs, "put", meddling)
    with pytest.raises(Conflict):
        archive(store.tenant, 2018, actor="test:1")
    assert len(rows(store.tenant)) == len(whole)
    with tenant_session(store.tenant, actor="test:1") as session:
        assert archived(session) == []


def test_what_an_import_brought_back_meanwhile_is_counted_once(store):
    patient = seen(store, [2008, 2009, 2010])
    archive(store.tenant, 2018, actor="test:1")
    number = len(store.numbers) * 100
    result = {"variable_name": "viral_load", "value_numeric": 2008.0, "obs_datetime": at(2008)}
    store.observe(store.facility(), patient, {"number": number, "stamp": at(2008), **result})
    with_it = len(rows(store.tenant))
    restore(store.tenant, 2008, actor="test:1")
    assert len(rows(store.tenant)) == with_it


def test_the_commands(store, capsys):
    seen(store, [2008, 2009, 2010])
    slug = store.tenant.slug
    assert run(["observations", "archive", slug, "--before", "2018", "--json"]) == 0
    assert '"2008": 1' in capsys.readouterr().out
    assert run(["observations", "list", slug]) == 0
    assert "2008" in capsys.readouterr().out
    assert run(["observations", "restore", slug, "--year", "2008"]) == 0
    assert run(["observations", "restore", slug, "--year", "2008"]) == 1
    assert "nothing of 2008" in capsys.readouterr().err
