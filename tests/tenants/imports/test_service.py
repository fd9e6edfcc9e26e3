"""The promises of an import: counts that add up, repeatable, in any order, strict on request, never in part."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from core.database import TenantRef, tenant_session
from core.errors import Conflict, Invalid
from core.privacy import vault
from tenants.imports import repository, service
from tenants.imports.mapping import parse_mapping
from tenants.imports.service import GivenFile, Order
from tenants.records.personal import open_patient
from tests.tenants.imports.newest import newest_import

from .conftest import MAPPING, PATIENTS, PICKUPS, RunImport, everything, rows, write


def test_good_rows_become_records_and_contacts(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    summary = run_import(tenant, partner_files)
    assert (summary.state, summary.rows_read, summary.rows_rejected) == ("done", 7, 0)
    inserted = {kind: counts["inserted"] for kind, counts in summary.counts.items() if "inserted" in counts}
    assert inserted == {"patients": 3, "patient_states": 1, "dispensations": 4}
    with tenant_session(tenant, actor="test:1") as session:
        patients = rows(
            session, "SELECT contact_date, days_supplied, pickup FROM contacts ORDER BY contact_date, days_supplied"
        )
        assert patients == [
            (date(2023, 1, 10), 30, True),
            (date(2023, 2, 1), 30, True),
            (date(2023, 2, 10), 90, True),
            (date(2024, 1, 5), 30, True),
        ]
        assert rows(session, "SELECT datim_id, name FROM facilities ORDER BY 1") == [
            ("C1", "Clinic one"),
            ("C2", "Clinic two"),
        ]


def test_events_take_the_facility_of_their_patient(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    run_import(tenant, partner_files)
    with tenant_session(tenant, actor="test:1") as session:
        contacts = rows(
            session,
            "SELECT f.datim_id, count(*) FROM dispensations AS d JOIN facilities AS f ON f.uuid = d.facility_uuid"
            " GROUP BY 1 ORDER BY 1",
        )
    assert contacts == [("C1", 3), ("C2", 1)]


def test_personal_data_is_nowhere_in_the_clear(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    run_import(tenant, partner_files)
    from sqlmodel import select

    from tenants.records.models import Patient

    with tenant_session(tenant, actor="test:1") as session:
        patients = session.exec(select(Patient)).all()
        opened = sorted(
            (patient["pepfar_id"], patient["given_name"])
            for patient in (open_patient(session, row) for row in patients)
        )
        assert opened == [("P1", "Aaa"), ("P2", "Bbb"), ("P3", "Givenname")]
        key = vault(session).blind_index("phone", "+234 803 000 0001")
        assert [row.phone_bidx for row in patients].count(key) == 1
        assert rows(session, "SELECT count(*) FROM import_staging") == [(0,)]
        assert rows(session, "SELECT count(*) FROM patient_keys WHERE wrapped_key IS NULL") == [(1,)]


def test_the_same_files_twice_change_nothing(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    run_import(tenant, partner_files)
    before = everything(tenant)
    again = run_import(tenant, partner_files)
    assert everything(tenant) == before
    for counts in again.counts.values():
        assert counts.get("inserted", 0) == counts.get("updated", 0) == 0
    assert again.counts["dispensations"]["unchanged"] == 4


def test_rows_in_any_order_give_the_same_records(
    tenant: TenantRef, make_tenant: object, run_import: RunImport, tmp_path: Path
) -> None:
    other = make_tenant().ref  # type: ignore[operator]
    head, *lines = PICKUPS.splitlines()
    backwards = "\n".join([head, *reversed(lines)]) + "\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    run_import(tenant, write(tmp_path / "a", patients__csv=PATIENTS, pickups__csv=PICKUPS))
    run_import(other, write(tmp_path / "b", patients__csv=PATIENTS, pickups__csv=backwards))
    with tenant_session(tenant, actor="test:1") as one, tenant_session(other, actor="test:1") as two:
        statement = "SELECT contact_date, days_supplied, next_appointment, known_from FROM contacts ORDER BY 1, 2"
        assert rows(one, statement) == rows(two, statement)


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_newer_data_date_wins_whatever_the_order_of_imports(
    tenant: TenantRef,
    run_import: RunImport,
    tmp_path: Path,
    newest_first: bool,  # noqa: FBT001 - parametrised
) -> None:
    changed = PICKUPS.replace("P1,2023-02-10,90", "P1,2023-02-10,60")
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    loads = [
        (write(old, patients__csv=PATIENTS, pickups__csv=PICKUPS), date(2024, 3, 31)),
        (write(new, patients__csv=PATIENTS, pickups__csv=changed), date(2024, 6, 30)),
    ]
    summaries = [
        run_import(tenant, paths, data_date=day) for paths, day in (reversed(loads) if newest_first else loads)
    ]
    with tenant_session(tenant, actor="test:1") as session:
        supplies = rows(
            session,
            "SELECT days_supplied, data_date FROM dispensations"
            " WHERE known_to IS NULL AND date_dispensed = '2023-02-10'",
        )
    assert supplies == [(60, date(2024, 6, 30))]
    assert summaries[1].counts["dispensations"]["superseded" if newest_first else "updated"] == 1


def test_a_row_that_is_absent_from_a_later_file_stays(tenant: TenantRef, run_import: RunImport, tmp_path: Path) -> None:
    run_import(tenant, write(tmp_path, patients__csv=PATIENTS, pickups__csv=PICKUPS))
    fewer = "\n".join(PICKUPS.splitlines()[:2]) + "\n"
    run_import(tenant, write(tmp_path, patients__csv=PATIENTS, pickups__csv=fewer), data_date=date(2024, 7, 1))
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT count(*) FROM dispensations WHERE known_to IS NULL AND NOT voided") == [(4,)]


BROKEN = """id,day,days,regimen,next
P1,2023-01-10,30,TDF/3TC/DTG,2023-02-09
P1,31/02/2023,30,TDF/3TC/DTG,
P1,2023-03-10,thirty,TDF/3TC/DTG,
NOBODY,2023-03-10,30,TDF/3TC/DTG,
P3,2000-01-01,30,ABC/3TC/DTG,
P1,2025-01-10,30,TDF/3TC/DTG,
,2023-03-10,30,TDF/3TC/DTG,
P1,2023-03-10
P2,2023-02-01,30,TDF/3TC/DTG,
P2,2023-02-01,30,TDF/3TC/DTG,
P2,2023-02-01,60,TDF/3TC/DTG,
"""


def test_broken_rows_are_reported_and_the_good_ones_stay(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    summary = run_import(tenant, write(tmp_path, patients__csv=PATIENTS, pickups__csv=BROKEN))
    assert summary.rows_read == 14
    assert summary.rows_accepted + summary.rows_rejected + summary.rows_waiting == summary.rows_read
    with tenant_session(tenant, actor="test:1") as session:
        rejections = [
            (line, field, problem) for _, line, field, problem, *_ in repository.rejections(session, summary.id)
        ]
    assert rejections == [
        (3, "day", "not a date in a form that the mapping names"),
        (4, "days", "not a number"),
        (6, "day", "the date lies before the date of birth of the patient"),
        (7, "day", "the date lies after the data date"),
        (8, "id", "the identifier is missing"),
        (12, "day", "another row with the same key has different values (pickups.csv, line 10)"),
    ]
    assert summary.rows_repeated == 1
    assert (summary.rows_in_part, summary.rows_rejected, summary.rows_waiting) == (1, 5, 1)
    (waiting,) = summary.waiting
    assert (waiting["field"], waiting["rows"]) == ("id", 1)
    assert waiting["problem"] == "no import has named a patient with this identifier yet"
    assert summary.counts["dispensations"]["inserted"] == 4, (
        "a wrong supply rejects only the supply, and an empty one stays empty"
    )


def test_a_wrong_date_of_death_does_not_reject_the_person(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    wrong = PATIENTS.replace("2024-03-01", "2030-03-01")
    summary = run_import(tenant, write(tmp_path, patients__csv=wrong, pickups__csv=PICKUPS))
    assert (summary.rows_in_part, summary.rows_rejected) == (1, 0)
    assert summary.counts["patients"]["inserted"] == 3
    assert "patient_states" not in summary.counts
    assert summary.counts["dispensations"]["inserted"] == 4


def test_strict_imports_nothing_when_a_row_is_rejected(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    paths = write(tmp_path, patients__csv=PATIENTS, pickups__csv=BROKEN)
    with pytest.raises(Invalid, match="6 of 14 rows were rejected or taken in part"):
        run_import(tenant, paths, strict=True)
    tables = everything(tenant)
    assert all(not content for content in tables.values())
    with tenant_session(tenant, actor="test:1") as session:
        row = newest_import(session)
        assert row.state == "failed"
        assert len(list(repository.rejections(session, row.uuid))) == 6
        assert rows(session, "SELECT count(*) FROM import_staging") == [(0,)]


def test_strict_imports_all_when_no_row_is_rejected(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    assert run_import(tenant, partner_files, strict=True).counts["dispensations"]["inserted"] == 4


def test_a_file_that_cannot_be_read_to_its_end_changes_nothing(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    paths = write(tmp_path, patients__csv=PATIENTS, pickups__csv__gz=PICKUPS * 400)
    paths[1].write_bytes(paths[1].read_bytes()[:-200])
    with pytest.raises(Invalid, match=r"pickups.csv.gz: the gzip file is cut off before its end"):
        run_import(tenant, paths)
    assert all(not content for content in everything(tenant).values())


def test_events_of_patients_imported_before_need_no_patients_file(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path], tmp_path: Path
) -> None:
    run_import(tenant, partner_files)
    only_pickups = MAPPING.split("records:", maxsplit=1)[0].replace("  patients: {name: patients.csv}\n", "") + (
        "records:\n  - into: dispensations\n    file: pickups\n    patient: id\n"
        "    columns: {date_dispensed: day, days_supplied: days}\n"
    )
    folder = tmp_path / "later"
    folder.mkdir()
    more = "id,day,days,regimen,next\nP1,2024-05-01,90,,\nP9,2024-05-01,90,,\nP3,1999-05-01,90,,\n"
    summary = run_import(tenant, write(folder, pickups__csv=more), only_pickups)
    assert summary.counts["dispensations"]["inserted"] == 2
    assert (summary.rows_read, summary.rows_accepted, summary.rows_waiting) == (3, 2, 1)
    assert any("before the date of birth on record" in note for note in summary.notes)


def test_bulk_history_is_known_from_its_event_dates_and_later_rows_from_the_data_date(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    mapping = MAPPING.replace("data_date: 2024-06-30", "assumed_lag_days: 5")
    run_import(
        tenant, write(tmp_path, patients__csv=PATIENTS, pickups__csv=PICKUPS), mapping, data_date=date(2024, 3, 31)
    )
    more = PICKUPS + "P1,2024-02-20,90,TDF/3TC/DTG,\n"
    run_import(tenant, write(tmp_path, patients__csv=PATIENTS, pickups__csv=more), mapping, data_date=date(2024, 6, 30))
    with tenant_session(tenant, actor="test:1") as session:
        pick_ups = rows(
            session,
            "SELECT date_dispensed, (known_from AT TIME ZONE 'Africa/Lagos')::date, known_assumed"
            " FROM dispensations ORDER BY 1",
        )
    assert pick_ups[-1] == (date(2024, 2, 20), date(2024, 6, 30), False)
    assert pick_ups[0] == (date(2023, 1, 10), date(2023, 1, 15), True)


def test_stamps_of_the_source_say_when_a_row_was_known_and_the_newest_stands(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    mapping = MAPPING.replace("    columns: {date_dispensed", "    stamp: changed\n    columns: {date_dispensed")
    stamped = (
        "id,day,days,regimen,next,changed\n"
        "P1,2023-01-10,30,A,,2023-01-12 09:00\nP1,2023-01-10,90,A,,2023-01-20T10:00:00+00:00\nP2,2023-02-01,30,A,,\n"
    )
    summary = run_import(tenant, write(tmp_path, patients__csv=PATIENTS, pickups__csv=stamped), mapping)
    assert (summary.rows_rejected, summary.rows_repeated) == (0, 1)
    with tenant_session(tenant, actor="test:1") as session:
        pick_ups = rows(
            session,
            "SELECT days_supplied, known_from AT TIME ZONE 'UTC', known_assumed FROM dispensations ORDER BY 1 DESC",
        )
    assert (pick_ups[0][0], pick_ups[0][1].isoformat(), pick_ups[0][2]) == (90, "2023-01-20T10:00:00", False)
    assert pick_ups[1][2] is True


def test_a_stamp_may_be_later_than_the_data_date_but_not_than_today(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    mapping = MAPPING.replace("    columns: {date_dispensed", "    stamp: changed\n    columns: {date_dispensed")
    stamped = "id,day,days,regimen,next,changed\nP1,2023-01-10,30,A,,2024-07-15\nP2,2023-02-01,30,A,,2199-01-01\n"
    summary = run_import(tenant, write(tmp_path, patients__csv=PATIENTS, pickups__csv=stamped), mapping)
    assert [(problem["field"], problem["problem"]) for problem in summary.problems] == [
        ("changed", "the stamp lies in the future")
    ]


def test_the_cohort_block_overrides_the_tenants_settings(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    run_import(tenant, partner_files, MAPPING + "cohort: {grace_days: 14, rule: {kind: fixed, days: 60}}\n")
    with tenant_session(tenant, actor="test:1") as session:
        value = rows(session, "SELECT value FROM tenant_settings WHERE key = 'cohort'")[0][0]
    assert value == {"grace_days": 14, "rule": {"kind": "fixed", "days": 60}}, "what the block leaves out stays unset"


def test_a_cohort_block_that_does_not_fit_is_rejected_before_anything_is_read(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    with pytest.raises(Invalid, match=r"cohort\.grace_days"):
        run_import(tenant, partner_files, MAPPING + "cohort: {grace_days: -1}\n")
    assert all(not content for content in everything(tenant).values())


def test_use_is_metered_one_time_and_the_act_is_in_the_audit(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    summary = run_import(tenant, partner_files)
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT meter, value::int FROM node.usage_events ORDER BY 1") == [
            ("import_rows", 7),
            ("imports", 1),
        ]
        actions = rows(
            session,
            "SELECT action, actor FROM audit_events WHERE subject_uuid = %s ORDER BY action",
            summary.id,
        )
    assert actions == [("import:records:finish", "cli:operator"), ("import:records:start", "cli:operator")]


def test_a_data_date_in_the_future_is_rejected(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    with pytest.raises(Invalid, match="lies in the future"):
        run_import(tenant, partner_files, data_date=date(2199, 1, 1))


def test_without_any_data_date_the_remedy_is_named(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    with pytest.raises(Invalid, match="date to which the data run is not known") as caught:
        run_import(tenant, partner_files, MAPPING.replace("data_date: 2024-06-30\n", ""))
    assert "give the import a data date" in caught.value.remedy


def _order(paths: list[Path]) -> Order:
    return Order([GivenFile(path.name, path.stat().st_size, "0" * 64) for path in paths], parse_mapping(MAPPING))


def test_unfinished_content_is_continued_and_a_cancelled_one_is_not(
    tenant: TenantRef, partner_files: list[Path]
) -> None:
    with tenant_session(tenant, actor="test:1") as session:
        first, _ = service.begin(session, _order(partner_files))
        again, goes_on = service.begin(session, _order(partner_files))
        assert (again.uuid, goes_on) == (first.uuid, True)
        service.cancel(session, first.uuid)
        third, goes_on = service.begin(session, _order(partner_files))
        assert third.uuid != first.uuid
        assert not goes_on
        with pytest.raises(Conflict, match="the import is cancelled"):
            service.cancel(session, first.uuid)


def test_an_event_before_birth_does_not_count_as_the_first_event(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people = "id,clinic,clinic_name,name,phone,sex,born,art_start,died_on\nP1,C1,Clinic,Aaa,,F,1990-05-01,,\n"
    pickups = "id,day,days,regimen,next\nP1,1988-01-10,30,TDF,\nP1,2023-02-10,30,TDF,\nP9,1988-01-01,30,TDF,\n"
    summary = run_import(tenant, write(tmp_path, patients__csv=people, pickups__csv=pickups))
    assert (summary.rows_read, summary.rows_rejected, summary.rows_waiting) == (4, 1, 1)
    assert [entry["problem"] for entry in summary.problems] == ["the date lies before the date of birth of the patient"]
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT contact_date FROM contacts") == [(date(2023, 2, 10),)]
        known = rows(session, "SELECT (known_from AT TIME ZONE 'Africa/Lagos')::date FROM patients")
    assert known == [(date(2023, 2, 10),)], "from the first event that counts"
