"""RADETs become records: two, a quarter apart, give pick-ups, people, states, results and the partner's status."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from core.database import TenantRef, tenant_session
from core.errors import Invalid
from tenants.cohort import radet, radet_repository
from tenants.imports.applying import apply
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tenants.imports.formats.radet_nmrs import HEADINGS as NMRS_HEADINGS
from tenants.imports.reading.sources import from_paths
from tenants.imports.runner import Runner
from tests.tenants.imports.conftest import RunImport, interrupted, rows

from .fixtures_lists import (
    PHARMACY,
    lamisplus_radet,
    lamisplus_row,
    nmrs_radet,
    nmrs_row,
    pharmacy_row,
    write_csv,
    write_xlsx,
)

MARCH, JUNE = date(2024, 3, 31), date(2024, 6, 30)
PICKUP, STATUS, SINCE = "Last Pickup Date (yyyy-mm-dd)", "Current ART Status", "Date of Current ART Status"


def two_quarters(folder: Path) -> tuple[Path, Path]:
    """Persons 1 to 5 on the list of March, 1 to 4 and 6 on that of June."""
    march = [
        lamisplus_row(1, **{PICKUP: "2024-01-10", SINCE: "2024-01-10"}),
        lamisplus_row(2, **{PICKUP: "2024-01-15", STATUS: "Died", SINCE: "2024-03-01"}),
        lamisplus_row(3, **{PICKUP: "2024-01-20", STATUS: "Transferred Out", SINCE: "2024-03-05"}),
        lamisplus_row(4, **{PICKUP: "2023-10-01", STATUS: "IIT", SINCE: "2024-01-28"}),
        lamisplus_row(5, **{PICKUP: "2024-02-01", SINCE: "2024-02-01"}),
    ]
    june = [
        lamisplus_row(1, **{PICKUP: "2024-04-12", SINCE: "2024-04-12"}),
        lamisplus_row(2, **{PICKUP: "2024-04-15", SINCE: "2024-04-15"}),
        lamisplus_row(3, **{PICKUP: "2024-01-20", STATUS: "Transferred Out", SINCE: "2024-03-05"}),
        lamisplus_row(4, **{PICKUP: "2024-05-20", STATUS: "Active Restart", SINCE: "2024-05-20"}),
        lamisplus_row(6, **{PICKUP: "2024-06-03", SINCE: "2024-06-03", "ART Start Date (yyyy-mm-dd)": "2024-06-03"}),
    ]
    return write_xlsx(folder / "march.xlsx", HEADINGS, march), write_csv(folder / "june.csv", HEADINGS, june)


def both(tenant: TenantRef, run_import: RunImport, folder: Path) -> None:
    march, june = two_quarters(folder)
    for path, day in ((march, MARCH), (june, JUNE)):
        summary = run_import(tenant, [path], "{}", data_date=day)
        assert (summary.state, summary.rows_read, summary.rows_rejected) == ("done", 5, 0)
        assert summary.format == "radet-lamisplus"
        assert summary.source == "lamisplus"
        assert summary.counts["snapshots"]["inserted"] == 5


def by_person(tenant: TenantRef) -> dict[Any, int]:
    """Numbers of the fixtures' persons by UUID."""
    from core.privacy import vault

    numbers = {}
    with tenant_session(tenant, actor="test:1") as session:
        for number in range(1, 9):
            index = vault(session).blind_index("pepfar_id", f"NG-{number:04d}")
            for (uuid,) in rows(session, "SELECT DISTINCT uuid FROM patients WHERE pepfar_id_bidx = %s", index):
                numbers[uuid] = number
    return numbers


def test_two_radets_a_quarter_apart_give_contacts_states_and_snapshots(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    both(tenant, run_import, tmp_path)
    person = by_person(tenant)
    with tenant_session(tenant, actor="test:1") as session:
        contacts = rows(
            session, "SELECT patient_uuid, contact_date, days_supplied FROM contacts WHERE known_to IS NULL"
        )
        states = rows(
            session,
            "SELECT patient_uuid, state, start_date FROM patient_states WHERE known_to IS NULL AND NOT voided",
        )
        snapshots = rows(session, "SELECT patient_uuid, data_date, status FROM radet_snapshots")
    assert {(person[uuid], day) for uuid, day, _ in contacts if person[uuid] in (1, 3)} == {
        (1, date(2024, 1, 10)),
        (1, date(2024, 4, 12)),
        (3, date(2024, 1, 20)),
    }
    assert {days for *_, days in contacts} == {90}
    # The newer list has person 2 on treatment: the death was wrong. People whom it no longer names keep their records.
    assert {(person[uuid], state, day) for uuid, state, day in states} == {(3, "transferred_out", date(2024, 3, 5))}
    assert len(snapshots) == 10
    assert {(person[uuid], day, status) for uuid, day, status in snapshots if person[uuid] == 4} == {
        (4, MARCH, "iit"),
        (4, JUNE, "active_restart"),
    }


def test_the_same_radet_again_changes_nothing(tenant: TenantRef, run_import: RunImport, tmp_path: Path) -> None:
    march, _ = two_quarters(tmp_path)
    run_import(tenant, [march], "{}", data_date=MARCH)
    again = run_import(tenant, [march], "{}", data_date=MARCH)
    changed = {name: count for counts in again.counts.values() for name, count in counts.items() if count}
    assert set(changed) <= {"unchanged", "named"}


def test_the_partners_status_is_compared_with_ours_on_the_lists_day(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    both(tenant, run_import, tmp_path)
    person = by_person(tenant)
    with tenant_session(tenant, actor="test:1") as session:
        comparison = radet.compare(session, JUNE)
        flows = radet_repository.flows(session, MARCH, JUNE, None)
        days = [(item.data_date, item.patients) for item in radet_repository.listed_days(session)]
    assert days == [(JUNE, 5), (MARCH, 5)]
    assert comparison.compared == 5
    assert comparison.agreements == 5
    assert comparison.counts["abc123", "active_restart", "active"] == 1
    (missing,) = comparison.disagreements
    # Person 5 was last seen in February with 90 days: the list of June does not name them, and we trace them.
    assert (person[missing.patient_id], missing.theirs, missing.ours) == (5, "not_on_list", "iit")
    assert set(flows) == {
        ("abc123", "active", "active", 1),
        ("abc123", "active", "not_on_list", 1),
        ("abc123", "died", "active", 1),
        ("abc123", "iit", "active_restart", 1),
        ("abc123", "not_on_list", "active", 1),
        ("abc123", "transferred_out", "transferred_out", 1),
    }


@pytest.mark.parametrize(
    ("cells", "mapping", "reason"),
    [
        ({PICKUP: "2024-03-20", SINCE: "2024-03-20"}, "refill: {unit: days}\n", "months_read_as_days"),
        ({PICKUP: "2024-01-05", STATUS: "Active"}, "", "status_does_not_follow"),
        ({PICKUP: "2024-04-20", STATUS: "IIT"}, "", "days_read_as_months"),
        ({PICKUP: "2024-03-04", STATUS: "IIT"}, "", "day_boundary"),
        ({PICKUP: "2024-04-20", STATUS: "lost?"}, "", "status_not_understood"),
    ],
)
def test_a_difference_comes_with_its_likely_reason(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, cells: Mapping[str, object], mapping: str, reason: str
) -> None:
    path = write_csv(tmp_path / "radet.csv", HEADINGS, [lamisplus_row(1, **cells)])
    run_import(tenant, [path], mapping or "{}", data_date=JUNE)
    with tenant_session(tenant, actor="test:1") as session:
        (difference,) = radet.compare(session, JUNE).disagreements
    assert difference.reason == reason


def test_a_pharmacy_list_and_a_radet_of_the_same_people_keep_the_values_of_each(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    march, _ = two_quarters(tmp_path)
    run_import(tenant, [march], "{}", data_date=MARCH)
    list_of_july = write_csv(
        tmp_path / "pharmacy.csv",
        PHARMACY,
        [pharmacy_row(1, "2024-01-10", 90, **{"Next Appointment": "2024-04-05"}), pharmacy_row(1, "2024-07-10")],
    )
    run_import(tenant, [list_of_july], "{}", data_date=date(2024, 7, 31))
    person = {number: uuid for uuid, number in by_person(tenant).items()}
    with tenant_session(tenant, actor="test:1") as session:
        known = rows(
            session,
            "SELECT sex, birthdate, art_start_date, county_district, case_manager FROM patients"
            " WHERE uuid = %s AND known_to IS NULL",
            person[1],
        )
        contacts = rows(
            session,
            "SELECT contact_date, days_supplied, next_appointment FROM contacts WHERE patient_uuid = %s"
            " AND known_to IS NULL ORDER BY contact_date",
            person[1],
        )
        total = rows(session, "SELECT count(DISTINCT uuid) FROM patients")
    assert total == [(5,)]
    assert known == [("F", date(1990, 5, 1), date(2023, 1, 10), None, "CM-1")]
    assert contacts == [(date(2024, 1, 10), 90, date(2024, 4, 5)), (date(2024, 7, 10), 90, None)]


def test_a_radet_of_nmrs_gives_visits_results_and_states(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    summary = run_import(tenant, nmrs_radet(tmp_path), "{}", data_date=JUNE)
    assert (summary.format, summary.source, summary.rows_rejected) == ("radet-nmrs", "nmrs", 0)
    with tenant_session(tenant, actor="test:1") as session:
        statuses = rows(session, "SELECT status, count(*) FROM radet_snapshots GROUP BY 1 ORDER BY 1")
        states = rows(session, "SELECT state, start_date FROM patient_states")
        results = rows(
            session, "SELECT variable_name, value_numeric, count(*) FROM observations GROUP BY 1, 2 ORDER BY 1"
        )
        supplied = rows(session, "SELECT DISTINCT days_supplied, regimen FROM dispensations")
        places = rows(session, "SELECT count(*) FROM facilities")
    assert statuses == [("active", 3), ("died", 1), ("iit", 1)]
    assert states == [("died", date(2024, 5, 1))]
    assert results == [("viral_load", 40.0, 5), ("weight", 61.5, 5)]
    assert supplied == [(90, "TDF-3TC-DTG")]
    assert places == [(2,)]


def test_a_wrong_cell_rejects_its_fact_and_not_the_person(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    broken = lamisplus_row(
        2,
        **{
            "Date of Birth (yyyy-mm-dd)": "soon",
            "Current Viral Load (c/ml)": "many",
            "Date of Current ViralLoad Result Sample (yyyy-mm-dd)": "2024-02-01",
            STATUS: "Died",
            SINCE: None,
        },
    )
    nobody = lamisplus_row(3, **{"Patient ID": None})
    path = write_csv(tmp_path / "radet.csv", HEADINGS, [lamisplus_row(1), broken, nobody])
    summary = run_import(tenant, [path], "{}", data_date=JUNE)
    assert (summary.rows_read, summary.rows_accepted, summary.rows_rejected) == (3, 2, 1)
    assert (summary.rows_in_part, summary.people) == (1, 2)
    fields = {(problem["field"], problem["problem"], problem["row_accepted"]) for problem in summary.problems}
    assert fields == {
        ("Date of Birth (yyyy-mm-dd)", "not a date in a form that can be read", True),
        ("Current Viral Load (c/ml)", "not a number", True),
        ("Patient ID", "the identifier is missing", False),
    }
    assert not any("mapping" in problem["remedy"] for problem in summary.problems)
    assert summary.counts["patients"]["inserted"] == 2
    assert summary.counts["patient_states"]["inserted"] == 1
    assert summary.counts["dispensations"]["inserted"] == 2
    assert "observations" not in summary.counts or not summary.counts["observations"].get("inserted")


@pytest.mark.parametrize("row", [nmrs_row(1, DaysOfARVRefil=3), nmrs_row(1, DaysOfARVRefil="1")])
def test_months_under_a_heading_of_days_are_rejected_until_the_mapping_says_so(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, row: Mapping[str, object]
) -> None:
    path = write_csv(tmp_path / "radet.csv", NMRS_HEADINGS, [row])
    with pytest.raises(Invalid, match="seems to hold months, not days"):
        run_import(tenant, [path], "{}", data_date=JUNE)
    summary = run_import(tenant, [path], "refill: {unit: months}\n", data_date=JUNE)
    assert "read as months, as the mapping says" in summary.notes[0]
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT mod(days_supplied, 30) FROM dispensations") == [(0,)]


def test_the_fixture_has_every_status(tenant: TenantRef, run_import: RunImport, tmp_path: Path) -> None:
    run_import(tenant, lamisplus_radet(tmp_path), "{}", data_date=JUNE)
    with tenant_session(tenant, actor="test:1") as session:
        statuses = {row[0] for row in rows(session, "SELECT status FROM radet_snapshots")}
        results = rows(session, "SELECT value_numeric, value_text FROM observations ORDER BY 1")
    assert statuses == {"active", "active_restart", "iit", "stopped", "died", "transferred_out"}
    assert results == [(20.0, "<"), (350.0, None)]


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_order_of_imports_makes_no_difference(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, *, newest_first: bool
) -> None:
    lists = [(path, day) for path, day in zip(two_quarters(tmp_path), (MARCH, JUNE), strict=True)]
    for path, day in reversed(lists) if newest_first else lists:
        assert run_import(tenant, [path], "{}", data_date=day).rows_rejected == 0
    person = by_person(tenant)
    with tenant_session(tenant, actor="test:1") as session:
        states = rows(session, "SELECT patient_uuid, state FROM patient_states WHERE known_to IS NULL AND NOT voided")
        taken_back = rows(
            session,
            "SELECT patient_uuid, state, data_date, (known_from AT TIME ZONE 'Africa/Lagos')::date"
            " FROM patient_states WHERE known_to IS NULL AND voided",
        )
        comparison = radet.compare(session, JUNE)
    assert [(person[uuid], state) for uuid, state in states] == [(3, "transferred_out")]
    # It stood until the list of June contradicted it, whenever that was imported.
    assert [(person[uuid], *rest) for uuid, *rest in taken_back] == [(2, "died", JUNE, JUNE)]
    assert (comparison.compared, comparison.agreements) == (5, 5)


def test_a_second_list_of_a_day_replaces_the_first_at_its_facilities(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    elsewhere = {"DatimId": "def456", "Facility Name": "Clinic two"}
    first = [lamisplus_row(1), lamisplus_row(2, **{STATUS: "Died", SINCE: "2024-05-01"}), lamisplus_row(3)]
    others = [lamisplus_row(4, **elsewhere)]
    corrected = [lamisplus_row(1), lamisplus_row(2)]
    for name, list_rows in (("a.csv", first), ("b.csv", others), ("c.csv", corrected)):
        summary = run_import(tenant, [write_csv(tmp_path / name, HEADINGS, list_rows)], "{}", data_date=JUNE)
    assert summary.counts["snapshots"] == {
        "inserted": 0,
        "updated": 1,
        "unchanged": 1,
        "superseded": 0,
        "still_voided": 0,
    }
    person = by_person(tenant)
    with tenant_session(tenant, actor="test:1") as session:
        snapshots = rows(session, "SELECT patient_uuid, status FROM radet_snapshots")
        dead = rows(session, "SELECT count(*) FROM patient_states WHERE known_to IS NULL AND NOT voided")
    assert sorted((person[uuid], status) for uuid, status in snapshots) == [(1, "active"), (2, "active"), (4, "active")]
    assert dead == [(0,)]


def digest_of(path: Path) -> str:
    """The digest of an import of this file alone."""
    return sha256(sha256(path.read_bytes()).hexdigest().encode()).hexdigest()


def test_a_few_corrected_rows_add_to_the_day_and_replace_nobody(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    whole = [*(lamisplus_row(n) for n in range(1, 7)), lamisplus_row(7, **{STATUS: "no such status"})]
    assert run_import(tenant, [write_csv(tmp_path / "a.csv", HEADINGS, whole)], "{}", data_date=JUNE).rows_in_part == 1
    # Of two lists of one day, the digests of the files decide which one wins.
    first = digest_of(tmp_path / "a.csv")
    for number in range(100):
        corrected = write_csv(tmp_path / "b.csv", HEADINGS, [lamisplus_row(7, **{"Case Manager": f"Name {number}"})])
        if digest_of(corrected) > first:
            break
    run_import(tenant, [corrected], "{}", data_date=JUNE)
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT status, count(*) FROM radet_snapshots GROUP BY 1") == [("active", 7)]


def test_a_list_resumed_after_its_correction_overwrites_nothing_of_it(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "STEP_ROWS", 4)
    first = [lamisplus_row(n) for n in range(1, 11)]
    corrected = [*first[:8], lamisplus_row(9, **{STATUS: "IIT", PICKUP: "2023-10-01"})]
    old, new = (write_csv(tmp_path / f"{n}.csv", HEADINGS, list_rows) for n, list_rows in enumerate((first, corrected)))
    open_session, uuid = interrupted(tenant, [old], "writing snapshots", "{data_date: 2024-06-30}")
    run_import(tenant, [new], "{}", data_date=JUNE)
    Runner(open_session, uuid, from_paths([old]), lambda *_: None).run()
    with tenant_session(tenant, actor="test:1") as session:
        statuses = rows(session, "SELECT status, count(*) FROM radet_snapshots GROUP BY 1 ORDER BY 1")
    assert statuses == [("active", 8), ("iit", 1)]


def test_a_cell_that_several_facts_share_is_reported_one_time_by_its_heading(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    lamis = write_csv(tmp_path / "lamis.csv", HEADINGS, [lamisplus_row(1, **{PICKUP: "2024-08-01"})])
    nmrs = write_csv(tmp_path / "nmrs.csv", NMRS_HEADINGS, [nmrs_row(2, LastPickupDate="01-Aug-2024")])
    for path, heading in ((lamis, PICKUP), (nmrs, "LastPickupDate")):
        problems = run_import(tenant, [path], "{}", data_date=JUNE).problems
        ahead = [problem["field"] for problem in problems if problem["problem"] == "the date lies after the data date"]
        assert ahead == [heading]


def test_the_report_names_sheets_that_are_not_read(tenant: TenantRef, run_import: RunImport, tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "two.xlsx", HEADINGS, [lamisplus_row(1)])
    before = run_import(tenant, [path], "{}", data_date=MARCH)
    assert not [note for note in before.notes if "only the first was read" in note]
    book = load_workbook(path)
    book.copy_worksheet(book.active)
    book.save(path)
    summary = run_import(tenant, [path], "{}", data_date=JUNE)
    assert summary.rows_read == 1
    assert [note for note in summary.notes if "only the first was read" in note]
