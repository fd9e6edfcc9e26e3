from __future__ import annotations

import csv
import io
import json
import stat
from datetime import UTC, date, datetime, timedelta

import pytest
from openpyxl import load_workbook
from sqlalchemy import text

from core import clock
from core.cli.main import run
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tenants.imports.reading import values
from tenants.records.ids import new_uuid
from tenants.records.models import UnreadContact
from tenants.reports import reading
from tests.tenants.reports.conftest import DAY, START


def lines(api, path="line-list", **params):
    answer = api.get(f"/v1/reports/{path}", params={"as_of": DAY.isoformat(), "format": "csv", **params})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def by_uuid(rows, people, key="patient_id"):
    names = {str(uuid): name for name, uuid in people.items()}
    return {names[row[key]]: row for row in rows}


def test_the_line_list_tells_each_person_s_state_on_the_day(api, people):
    by_name = by_uuid(lines(api), people)
    assert {name: row["status"] for name, row in by_name.items()} == {
        "active": "active", "iit": "iit", "restart": "active", "died": "died", "left": "transferred_out",
        "none": "none",
    }  # fmt: skip
    row = by_name["active"]
    assert (row["facility"], row["sex"], row["age_years"]) == ("FAC1", "F", "34")
    assert (row["last_pickup"], row["days_supplied"], row["expected_date"]) == ("2025-03-01", "75", "2025-05-15")
    assert (row["regimen"], row["regimen_line"], row["dsd_model"]) == ("TDF/3TC/DTG", "first", "MMD")
    assert (row["viral_load_copies_ml"], row["viral_load_date"], row["cd4_cells_mm3"]) == ("2500", "2025-03-02", "180")
    assert (by_name["iit"]["expected_date"], by_name["iit"]["days_late"]) == ("2025-01-31", "74")
    assert by_name["iit"]["status_date"] == "2025-03-01"  # expected + 28 is on treatment, the day after is IIT
    assert (by_name["restart"]["restarted_in_period"], by_name["active"]["restarted_in_period"]) == ("true", "false")
    assert (by_name["died"]["expected_date"], by_name["died"]["days_late"]) == ("", "")


def test_what_was_learned_later_is_not_on_an_earlier_day_s_list(api, people):
    rows = by_uuid(lines(api, as_of="2025-02-10"), people)
    assert rows["active"]["last_pickup"] == "2025-02-01"
    assert rows["active"]["viral_load_date"] == ""
    assert rows["iit"]["status"] == "active"


def test_a_text_that_a_spreadsheet_would_calculate_is_quoted(api, people):
    assert by_uuid(lines(api), people)["active"]["case_manager"] == "'=Aaa"


def test_identifiers_are_shown_only_where_they_are_asked_for(api, people, store):
    headers = {"If-Match": "*"}
    changed = api.patch(f"/v1/patients/{people['active']}", json={"pepfar_id": "PEP-1"}, headers=headers)
    assert changed.status_code == 200, changed.text
    today = {"as_of": clock.today(store.tenant.time_zone).isoformat()}
    assert "pepfar_id" not in lines(api, **today)[0]
    assert "PEP-1" not in json.dumps(lines(api, **today))
    assert by_uuid(lines(api, identifiers="true", **today), people)["active"]["pepfar_id"] == "PEP-1"


def test_each_patient_on_a_list_is_in_the_audit(api, people, store):
    lines(api)
    with store.session() as session:
        read = session.execute(
            text("SELECT subject_uuid FROM audit_events WHERE action = 'report:patient:read'")
        ).scalars()
        assert set(read) == set(people.values())


def test_a_list_read_in_many_steps_is_the_same_list(api, people, monkeypatch):
    whole = lines(api)
    monkeypatch.setattr(reading, "STEP_PATIENTS", 2)
    assert lines(api) == whole
    numbers = [row["S/No."] for row in lines(api, "radet")]
    assert numbers == ["1", "2", "3", "4", "5"]


def test_the_radet_has_its_91_headings_and_its_own_words(api, people):
    rows = lines(api, "radet")
    assert tuple(rows[0]) == HEADINGS
    assert len(HEADINGS) == 91
    by_name = by_uuid(rows, people, "Patient ID")
    assert {name: row["Current ART Status"] for name, row in by_name.items()} == {
        "active": "Active", "iit": "IIT", "restart": "Active Restart", "died": "Died", "left": "Transferred Out",
    }  # fmt: skip
    row = by_name["active"]
    assert row["Months of ARV Refill"] == "2.5"
    assert (row["Regimen at ART Start"], row["Current ART Regimen"]) == ("TDF/3TC/EFV", "TDF/3TC/DTG")
    assert row["Date of Start of Current ART Regimen"] == "2025-02-01"
    assert (row["Sex"], row["Last Pickup Date (yyyy-mm-dd)"]) == ("Female", "2025-03-01")


def test_a_refill_and_a_result_below_its_limit_come_back_as_they_were(api, people, store):
    clinic, person = store.facility(), people["iit"]
    for number, days in enumerate((28, 84, 13)):
        when = DAY + timedelta(number)
        stamp = datetime(when.year, when.month, when.day, 9, tzinfo=UTC)
        pickup = {"number": 31 + number, "date_dispensed": when, "days_supplied": days, "stamp": stamp}
        store.dispense(clinic, person, pickup)
        result = {"number": 41 + number, "variable_name": "viral_load", "value_numeric": 20.0, "value_text": "<"}
        store.observe(clinic, person, {**result, "obs_datetime": stamp, "stamp": stamp})
        day = when.isoformat()
        row = by_uuid(lines(api, "radet", as_of=day), people, "Patient ID")["iit"]
        assert values.days(row["Months of ARV Refill"], "months") == days
        assert row["Current Viral Load (c/ml)"] == "<20"
        assert by_uuid(lines(api, as_of=day), people)["iit"]["viral_load_copies_ml"] == "<20"


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_an_export_that_is_imported_again_doubles_nobody(people, store, tmp_path, capsys, form):
    to, day = tmp_path / f"radet.{form}", DAY.isoformat()
    assert run(["report", "radet", store.tenant.slug, "--as-of", day, "--format", form, "--to", str(to)]) == 0
    capsys.readouterr()
    assert run(["import", store.tenant.slug, str(to), "--data-date", day]) == 1
    assert "one of its own exports" in capsys.readouterr().err
    with store.session() as session:
        assert session.execute(text("SELECT count(*) FROM patients")).scalar() == len(people)


def test_whose_day_is_not_known_and_whose_word_a_status_is_are_on_the_lists(api, people, store):
    clinic, stamp = store.facility(), datetime(2025, 4, 1, 9, tzinfo=UTC)
    store.state(clinic, people["restart"], 51, "died", None, stamp=stamp)
    store.state(clinic, people["active"], 52, "invalid", None, stamp=stamp)
    with store.session() as session:
        gap = {"list_date": date(2025, 4, 1), "known_from": stamp, "partner_status": "iit", "facility_uuid": clinic}
        named = {"source": "a", "list_kind": "b", "import_uuid": new_uuid()}
        session.add(UnreadContact(patient_uuid=people["iit"], **named, **gap))
    by_name = by_uuid(lines(api), people)
    dead = by_name["restart"]
    assert (dead["status"], dead["status_date"], dead["status_day_known"]) == ("died", "", "false")
    lost = by_name["iit"]
    assert (lost["status"], lost["status_date"], lost["status_source"]) == ("iit", "2025-04-01", "partner")
    assert (lost["expected_date"], lost["days_late"]) == ("", "")
    radet = by_uuid(lines(api, "radet"), people, "Patient ID")
    assert (radet["restart"]["Current ART Status"], radet["restart"]["Date of Current ART Status"]) == ("Died", "")
    assert radet["active"]["Current ART Status"] == "Invalid"


def test_a_workbook_holds_the_same_rows_with_real_dates(api, people):
    answer = api.get("/v1/reports/radet", params={"as_of": DAY.isoformat(), "format": "xlsx"})
    assert answer.status_code == 200, answer.text
    sheet = load_workbook(io.BytesIO(answer.content)).active
    head, *rows = sheet.iter_rows(values_only=True)
    assert head == HEADINGS
    assert len(rows) == 5
    assert {row[head.index("ART Start Date (yyyy-mm-dd)")] for row in rows} == {
        datetime(START.year, START.month, START.day)  # noqa: DTZ001 - Excel knows no zones
    }


def test_ndjson_has_one_object_a_line(api, people):
    answer = api.get("/v1/reports/line-list", params={"as_of": DAY.isoformat(), "format": "ndjson"})
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert {row["patient_id"] for row in rows} == {str(uuid) for uuid in people.values()}
    assert all(isinstance(row["transferred_in"], bool) for row in rows)


@pytest.mark.parametrize(
    ("query", "field"), [({"facility": "NOWHERE"}, "facility"), ({"as_of": "0500-01-01"}, "as_of")]
)
def test_a_list_of_nowhere_or_no_day_of_care_is_rejected_with_the_field(api, people, query, field):
    answer = api.get("/v1/reports/line-list", params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].endswith(field)
    assert answer.json()["errors"][0]["remedy"]


def test_a_list_of_one_facility_leaves_the_others_out(api, people, store):
    store.facility("FAC2")
    assert lines(api, facility="FAC2") == []
    assert len(lines(api, facility="FAC1")) == len(people)


def test_the_command_writes_a_whole_file_or_none(people, store, tmp_path, capsys):
    to = tmp_path / "list.csv"
    assert run(["report", "line-list", store.tenant.slug, "--as-of", DAY.isoformat(), "--to", str(to)]) == 0
    assert len(to.read_text().splitlines()) == len(people) + 1
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    before = to.read_bytes()
    assert run(["report", "line-list", store.tenant.slug, "--facility", "NOWHERE", "--to", str(to)]) == 1
    assert "facility" in capsys.readouterr().err
    assert to.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["list.csv"]
    assert run(["report", "radet", store.tenant.slug, "--to", str(tmp_path / "no" / "r.xlsx")]) == 2


def test_who_is_merged_into_another_is_listed_once_with_the_records_of_both(api, people, store):
    body = {"canonical_id": str(people["active"]), "reason": "seen both"}
    merged = api.post(f"/v1/patients/{people['restart']}/merge", json=body)
    assert merged.status_code == 200, merged.text
    today = {"as_of": clock.today(store.tenant.time_zone).isoformat()}
    by_name = by_uuid(lines(api, **today), people)
    assert "restart" not in by_name
    assert by_name["active"]["last_contact"] == "2025-04-10"
    assert len(lines(api, "radet", **today)) == 4
