"""Repeated identifiers, people at two facilities, visits before birth or in the future, and unknown facilities."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from core.database import TenantRef, tenant_session
from core.errors import Invalid
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tenants.imports.mapping import parse_mapping
from tenants.imports.report import Summary
from tests.tenants.imports.conftest import RunImport, rows
from tests.tenants.imports.formats.fixtures_lists import (
    MISSED,
    MISSED_MAPPING,
    PHARMACY,
    VERIFICATION,
    lamisplus_row,
    missed_row,
    pharmacy_row,
    verification_row,
    write_csv,
)

JUNE = date(2024, 6, 30)
PICKUP, BORN = "Last Pickup Date (yyyy-mm-dd)", "Date of Birth (yyyy-mm-dd)"


def problems(summary: object) -> set[tuple[str, str]]:
    return {(item["field"], item["problem"]) for item in summary.problems}  # type: ignore[attr-defined]


def test_a_person_twice_on_one_list_is_one_person_where_the_rows_agree_and_rejected_otherwise(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    list_rows = [lamisplus_row(1), lamisplus_row(1), lamisplus_row(2), lamisplus_row(2, **{BORN: "1991-01-01"})]
    summary = run_import(tenant, [write_csv(tmp_path / "r.csv", HEADINGS, list_rows)], "{}", data_date=JUNE)
    assert (summary.rows_read, summary.rows_rejected, summary.rows_repeated) == (4, 1, 1)
    assert summary.counts["patients"]["inserted"] == 2
    (problem,) = summary.problems
    assert problem["problem"] == "another row with the same key has different values (r.csv, line 4)"


def test_one_identifier_at_two_facilities_is_two_patients_of_their_own(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    list_rows = [lamisplus_row(1), lamisplus_row(1, DatimId="def456", **{PICKUP: "2024-05-05"})]
    summary = run_import(tenant, [write_csv(tmp_path / "r.csv", HEADINGS, list_rows)], "{}", data_date=JUNE)
    assert (summary.rows_rejected, summary.counts["patients"]["inserted"]) == (0, 2)
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT count(DISTINCT (facility_uuid, uuid)) FROM patients") == [(2,)]


def test_a_row_that_names_no_facility_waits_where_several_have_its_person(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people = [lamisplus_row(1), lamisplus_row(1, DatimId="def456"), lamisplus_row(2)]
    run_import(tenant, [write_csv(tmp_path / "r.csv", HEADINGS, people)], "{}", data_date=JUNE)
    tracked = [verification_row(1), verification_row(2), verification_row(9)]
    path = write_csv(tmp_path / "v.csv", VERIFICATION, tracked)
    summary = run_import(tenant, [path], "{}", data_date=JUNE)
    assert (summary.rows_read, summary.rows_accepted, summary.rows_waiting, summary.problems) == (3, 1, 2, [])
    assert {
        (waiting["field"], waiting["problem"], waiting["rows"], waiting["people"]) for waiting in summary.waiting
    } == {
        ("Patient Id", "patients of several facilities have this identifier", 1, 1),
        ("Patient Id", "no import has named a patient with this identifier yet", 1, 1),
    }


def test_tracking_becomes_a_form_with_observations_and_the_states_of_people_who_left(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people = [lamisplus_row(1), lamisplus_row(2)]
    run_import(tenant, [write_csv(tmp_path / "r.csv", HEADINGS, people)], "{}", data_date=date(2024, 5, 1))
    gone = {"Discontinued": "Yes", "Reason For Discontinuation": "Death", "Date of Discontinuation": "2024-05-19"}
    tracked = [verification_row(1), verification_row(2, **{"Date Returned To Care": None, **gone})]
    path = write_csv(tmp_path / "v.csv", VERIFICATION, tracked)
    summary = run_import(tenant, [path], "{}", data_date=JUNE)
    assert (summary.format, summary.rows_rejected) == ("lamisplus-verification", 0)
    with tenant_session(tenant, actor="test:1") as session:
        forms = rows(session, "SELECT encounter_type, form, count(*) FROM encounters GROUP BY 1, 2")
        counts = dict(rows(session, "SELECT variable_name, count(*) FROM observations GROUP BY 1"))
        texts = rows(session, "SELECT count(*) FROM observations WHERE value_text LIKE '%%Givenname%%'")
        states = rows(session, "SELECT state, start_date, reason FROM patient_states")
    assert forms == [("tracking", "Client Verification", 2)]
    assert (counts["tracking_outcome"], counts["tracking_attempts"], counts["returned_to_care"]) == (2, 2, 1)
    assert texts == [(0,)]  # comments may name people
    assert states == [("died", date(2024, 5, 19), "Death")]


def test_missed_appointments_become_bookings_of_known_people_and_names_are_not_lost(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    list_rows = [missed_row(1), missed_row(2, VisitDate="14-Jun-2024"), missed_row(3, AppointmentDate="10-Aug-2024")]
    path = write_csv(tmp_path / "m.csv", MISSED, list_rows, encoding="utf-8")
    summary = run_import(tenant, [path], MISSED_MAPPING, data_date=JUNE)
    assert (summary.rows_read, summary.rows_rejected) == (3, 1)
    assert problems(summary) == {
        ("AppointmentDate", "the date lies after the data date"),
        ("AppointmentDate", "it was kept or missed after the data date"),
    }
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT due_date, status, count(*) FROM appointments GROUP BY 1, 2") == [
            (date(2024, 6, 10), "missed", 2)
        ]
        assert rows(session, "SELECT contact_date FROM contacts") == [(date(2024, 6, 14),)]
        assert rows(session, "SELECT count(given_name_enc), count(phone_bidx), count(sex) FROM patients") == [(2, 2, 2)]
    # Without the facility, rows of people who are not on record wait; the import invents nobody.
    alone = write_csv(tmp_path / "m2.csv", MISSED, [missed_row(1), missed_row(8)], encoding="utf-8")
    other = run_import(tenant, [alone], "{}", data_date=JUNE)
    assert (other.rows_accepted, other.rows_rejected, other.rows_waiting) == (1, 0, 1)


def test_pick_ups_before_birth_and_after_the_data_date_are_rejected_and_the_person_stays(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    list_rows = [
        lamisplus_row(1, **{BORN: "2024-05-01", "ART Start Date (yyyy-mm-dd)": None}),
        lamisplus_row(2, **{PICKUP: "2024-07-01"}),
        lamisplus_row(3),
    ]
    summary = run_import(tenant, [write_csv(tmp_path / "r.csv", HEADINGS, list_rows)], "{}", data_date=JUNE)
    assert (summary.rows_read, summary.rows_in_part, summary.rows_rejected, summary.people) == (3, 2, 0, 3)
    assert summary.counts["patients"]["inserted"] == 3
    assert summary.counts["dispensations"]["inserted"] == 1
    assert {problem for _, problem in problems(summary)} == {
        "the date lies before the date of birth of the patient",
        "the date lies after the data date",
    }


def test_impossible_starts_and_births_reject_the_date_and_not_the_person(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    start = "ART Start Date (yyyy-mm-dd)"

    def give(name: str, born: str, began: str) -> Summary:
        list_rows = [lamisplus_row(1, **{BORN: born, start: began})]
        return run_import(tenant, [write_csv(tmp_path / name, HEADINGS, list_rows)], "{}", data_date=JUNE)

    def known() -> list[tuple[object, ...]]:
        asked = (
            "SELECT p.birthdate, p.art_start_date, count(d.uuid) FROM patients AS p"
            " JOIN dispensations AS d ON d.patient_uuid = p.uuid AND d.known_to IS NULL WHERE p.known_to IS NULL"
            " GROUP BY 1, 2"
        )
        with tenant_session(tenant, actor="test:1") as session:
            return rows(session, asked)

    summary = give("a.csv", "2023-10-01", "2022-02-01")
    assert (summary.rows_read, summary.rows_in_part) == (1, 1)
    assert problems(summary) == {(BORN, "the date of birth lies after the start of treatment")}
    assert known() == [(None, date(2022, 2, 1), 1)]
    assert give("b.csv", "1991-10-01", "2022-02-01").rows_in_part == 0
    assert known() == [(date(1991, 10, 1), date(2022, 2, 1), 1)]
    summary = give("c.csv", "2031-10-01", "2022-02-01")
    assert problems(summary) == {(BORN, "the date lies after the data date")}
    assert known() == [(date(1991, 10, 1), date(2022, 2, 1), 1)], "a slip deletes no known data"


@pytest.mark.parametrize("known", ["[abc123]", "registered"])
def test_unknown_facilities_are_rejected_where_the_mapping_asks_for_it(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, known: str
) -> None:
    first = write_csv(tmp_path / "a.csv", PHARMACY, [pharmacy_row(1, "2024-01-10")])
    run_import(tenant, [first], "{}", data_date=JUNE)
    list_rows = [pharmacy_row(1, "2024-04-10"), pharmacy_row(2, "2024-04-10", **{"DATIM Id": "abc124"})]
    path = write_csv(tmp_path / "b.csv", PHARMACY, list_rows)
    summary = run_import(tenant, [path], f"known_facilities: {known}\n", data_date=JUNE)
    assert (summary.rows_read, summary.rows_rejected) == (2, 1)
    assert problems(summary) == {("DATIM Id", "the facility is not among those known")}
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT datim_id FROM facilities") == [("abc123",)]
    assert run_import(tenant, [path], "known_facilities: [abc123, abc124]\n", data_date=JUNE).rows_rejected == 0


def test_a_malformed_list_of_facilities_is_rejected() -> None:
    with pytest.raises(Invalid, match="known_facilities"):
        parse_mapping("known_facilities: all\n")
