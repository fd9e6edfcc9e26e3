"""The notes of a report on how the import understood rows."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from core.database import TenantRef, tenant_session
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tests.tenants.imports.conftest import RunImport, rows
from tests.tenants.imports.formats.fixtures_lists import PHARMACY, lamisplus_row, pharmacy_row, write_csv

JUNE = date(2024, 6, 30)
STATUS, SINCE = "Current ART Status", "Date of Current ART Status"


def test_deaths_without_a_day_and_invalid_records_are_counted_in_people(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people = [
        lamisplus_row(1, **{STATUS: "Died", SINCE: None}),
        lamisplus_row(2, **{STATUS: "Transferred Out", SINCE: None}),
        lamisplus_row(3, **{STATUS: "Invalid - Duplicates"}),
        lamisplus_row(4, **{STATUS: "Invalid \u2013 Nonexistent"}),
        lamisplus_row(5),
    ]
    summary = run_import(tenant, [write_csv(tmp_path / "radet.csv", HEADINGS, people)], "{}", data_date=JUNE)
    notes = " ".join(summary.notes)
    assert "1 person is dead on a day that the list does not give" in notes
    assert "1 person is transferred out on a day that the list does not give" in notes
    assert "2 people are invalid in the partner's own list" in notes
    assert summary.rows_rejected == 0
    with tenant_session(tenant, actor="test:1") as session:
        states = rows(session, "SELECT state, start_date FROM patient_states ORDER BY state, start_date")
    assert [state for state, _ in states] == ["died", "invalid", "invalid", "transferred_out"]
    assert dict(states)["died"] is None


SEEN_DEAD = "1 person is listed with a contact after the day of their death"


def test_a_death_before_a_pick_up_of_the_same_list_is_counted(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    died = {STATUS: "Died", SINCE: "2024-03-01"}
    people = [lamisplus_row(1, **died), lamisplus_row(2, **{STATUS: "Died", SINCE: "2024-05-01"}), lamisplus_row(3)]
    summary = run_import(tenant, [write_csv(tmp_path / "radet.csv", HEADINGS, people)], "{}", data_date=JUNE)
    assert [note for note in summary.notes if "death" in note and SEEN_DEAD in note], summary.notes


def test_a_pick_up_after_a_death_on_record_is_counted_until_the_list_corrects_the_death(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    died = {STATUS: "Died", SINCE: "2024-05-01"}
    run_import(tenant, [write_csv(tmp_path / "radet.csv", HEADINGS, [lamisplus_row(1, **died)])], "{}", data_date=JUNE)
    picked = [pharmacy_row(1, "2024-06-10"), pharmacy_row(2, "2024-06-10")]
    later = run_import(tenant, [write_csv(tmp_path / "p.csv", PHARMACY, picked)], "{}", data_date=date(2024, 7, 31))
    assert [note for note in later.notes if SEEN_DEAD in note], later.notes
    active = lamisplus_row(1, **{"Last Pickup Date (yyyy-mm-dd)": "2024-06-10", SINCE: "2024-06-10"})
    newest = run_import(
        tenant, [write_csv(tmp_path / "radet2.csv", HEADINGS, [active])], "{}", data_date=date(2024, 9, 30)
    )
    assert not [note for note in newest.notes if SEEN_DEAD in note]


def test_other_drugs_are_kept_apart_from_antiretrovirals_of_the_same_day(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    headings = [heading.replace("Regimens", "Regimens(Include supported Drugs)") for heading in PHARMACY]
    drugs = [
        ("TDF+3TC+DTG", "Adult 1st Line", 90),
        ("Isoniazid-(INH) 300mg", "Isoniazid Preventive Therapy (IPT)", 180),
    ]
    list_rows = [
        {
            **pharmacy_row(1, "2024-01-10", days),
            "Regimens(Include supported Drugs)": drug,
            "Regimen Line": line,
        }
        for drug, line, days in drugs
    ]
    path = write_csv(tmp_path / "pharmacy.csv", headings, list_rows)
    summary = run_import(tenant, [path], "refill: {unit: days}", data_date=JUNE)
    assert (summary.rows_accepted, summary.rows_rejected) == (2, 0)
    assert any("1 person is listed with pick-ups of drugs other than antiretrovirals" in note for note in summary.notes)
    with tenant_session(tenant, actor="test:1") as session:
        known = rows(session, "SELECT days_supplied, antiretroviral FROM dispensations ORDER BY 1")
    assert known == [(90, True), (180, False)]


def test_an_encounter_cannot_belong_to_two_people(tenant: TenantRef, run_import: RunImport, tmp_path: Path) -> None:
    for number in (1, 2):
        body = {
            "demographics": {"patientUuid": f"N{number}", "gender": "F"},
            "encounters": [
                {
                    "encounterUuid": "e1",
                    "encounterDatetime": "2024-03-01 10:00:00",
                    "encounterType": "Pharmacy",
                    "pmmForm": "Pharmacy Order Form",
                    # A newer stamp does not move it to another person.
                    "dateChanged": f"2024-03-0{number} 10:00:00",
                }
            ],
            "obs": [
                {
                    "obsDatetime": "2024-03-01 10:00:00",
                    "encounterUuid": "e1",
                    "conceptId": 159368,
                    "valueNumeric": 90,
                }
            ],
        }
        content = {"messageHeader": {"facilityDatimCode": "C1"}, "messageData": body}
        (tmp_path / f"N{number}.json").write_text(json.dumps(content))
    summary = run_import(tenant, [tmp_path], "{}", data_date=JUNE)
    assert summary.rows_in_part == 1
    assert {problem["problem"].split(" (")[0] for problem in summary.problems} == {
        "another row with the same key has different values"
    }


def test_a_pick_up_on_a_day_that_cannot_be_read_is_no_absence(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    pickup = "Last Pickup Date (yyyy-mm-dd)"
    people = [
        lamisplus_row(1, **{pickup: "31/06/2024"}),
        lamisplus_row(2, **{pickup: None}),
        lamisplus_row(3, **{"Months of ARV Refill": "3 months"}),
        lamisplus_row(4),
    ]
    summary = run_import(tenant, [write_csv(tmp_path / "radet.csv", HEADINGS, people)], "{}", data_date=JUNE)
    assert any(
        "3 people are listed with a contact whose day or supply is missing or cannot be read" in note
        for note in summary.notes
    )
    assert summary.counts["dispensations"]["inserted"] == 2
    with tenant_session(tenant, actor="test:1") as session:
        unread = rows(session, "SELECT list_kind, list_date, partner_status, known_to FROM unread_contacts")
        supplies = rows(session, "SELECT days_supplied FROM dispensations ORDER BY 1")
    assert unread == [("radet-lamisplus", JUNE, "active", None)] * 3
    assert supplies == [(90,), (None,)]


def test_a_sex_that_changes_between_lists_is_noted(tenant: TenantRef, run_import: RunImport, tmp_path: Path) -> None:
    first = write_csv(tmp_path / "q1.csv", HEADINGS, [lamisplus_row(1, Sex="Female"), lamisplus_row(2, Sex="Male")])
    second = write_csv(tmp_path / "q2.csv", HEADINGS, [lamisplus_row(1, Sex="Male"), lamisplus_row(2, Sex="Male")])
    assert not any(
        "another sex" in note for note in run_import(tenant, [first], "{}", data_date=date(2024, 3, 31)).notes
    )
    summary = run_import(tenant, [second], "{}", data_date=JUNE)
    assert any("1 person is listed with another sex than before" in note for note in summary.notes)


def test_a_person_with_an_unreadable_contact_is_not_absent_in_either_order(
    make_tenant: Any, run_import: RunImport, tmp_path: Path
) -> None:
    pickup = {"Last Pickup Date (yyyy-mm-dd)": "2024-02-01", "Months of ARV Refill": 2, SINCE: "2024-02-01"}
    radet = write_csv(tmp_path / "radet.csv", HEADINGS, [lamisplus_row(number, **pickup) for number in (1, 2)])
    row = pharmacy_row(1, "2024-05-32", 90)
    known = pharmacy_row(2, "2024-05-20", 90)
    pharmacy = write_csv(tmp_path / "pharmacy.csv", PHARMACY, [row, known])
    lists = [(radet, date(2024, 3, 31), "{}"), (pharmacy, JUNE, "refill: {unit: days}")]
    seen = []
    for order in (lists, lists[::-1]):
        tenant = make_tenant().ref
        for path, data_date, mapping in order:
            run_import(tenant, [path], mapping, data_date=data_date)
        with tenant_session(tenant, actor="test:1") as session:
            states = rows(session, "SELECT to_status, date FROM status_transitions ORDER BY to_status, date")
            people = rows(session, "SELECT sex, birthdate FROM patients WHERE known_to IS NULL ORDER BY sex, birthdate")
        seen.append((states, people))
    assert seen[0] == seen[1]
    assert "unknown" in {status for status, _ in seen[0][0]}
