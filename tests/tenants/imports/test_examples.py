"""The mappings of docs/examples, with files that have the headings they expect."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from core.database import TenantRef, tenant_session
from tenants.imports import repository
from tenants.imports.mapping import parse_mapping

from .conftest import RunImport, rows, write

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"


def example(name: str) -> str:
    return (EXAMPLES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_a_valid_mapping(path: Path) -> None:
    mapping = parse_mapping(path.read_bytes())
    assert mapping.records or mapping.refill or mapping.format != "csv"


@pytest.fixture
def cohort_files(tmp_path: Path) -> list[Path]:
    """Two programmes in the same files, with a closing date each, as the simulated ART cohort has them."""
    return write(
        tmp_path,
        programmes__csv="programme,last_data_date\nProgram_A,2015-06-08\nProgram_B,2015-06-21\n",
        patients__csv=(
            "patient_id,programme,art_start_date,died,death_date,transfer_out_date,transferred_out\n"
            "A_1,Program_A,2010-01-10,0,,,0\n"
            "A_2,Program_A,2011-01-10,1,2012-05-01,,0\n"
            "A_3,Program_A,2012-01-10,0,,2014-01-01,1\n"
            "A_4,Program_A,2012-01-10,0,,2015-07-01,1\n"
            "B_1,Program_B,2012-01-10,9,,,9\n"
        ),
        visits__csv__gz=(
            "patient_id,visit_date\nA_1,2010-01-10\nA_1,2010-02-12\nA_1,2015-06-09\nA_2,2011-01-10\nA_4,2012-01-10\nB_1,2015-06-15\n"
        ),
        cd4_tests__csv__gz="patient_id,sample_date\nA_1,2010-01-10\nB_1,2012-01-10\n",
        viral_load_tests__csv__gz="patient_id,sample_date\nA_1,2011-01-10\n",
        appointment_schedule__csv="programme,visit_cat,p50,p25,p95\nProgram_A,1.0,1.0,1.0,3.0\n",
    )


def test_programme_a_of_the_art_cohort(tenant: TenantRef, run_import: RunImport, cohort_files: list[Path]) -> None:
    summary = run_import(tenant, cohort_files, example("art-cohort-program-a.yaml"))
    assert summary.data_date == date(2015, 6, 8)
    assert {kind: counts["inserted"] for kind, counts in summary.counts.items() if "inserted" in counts} == {
        "patients": 4,
        "patient_states": 2,
        "visits": 4,
        "observations": 2,
        "unread_contacts": 1,
    }
    assert (summary.rows_read, summary.rows_in_part, summary.rows_rejected) == (11, 1, 1)
    assert summary.rows_left_out == 3
    with tenant_session(tenant, actor="test:1") as session:
        assert [(file, line) for file, line, *_ in repository.rejections(session, summary.id)] == [
            ("patients.csv", 5),
            ("visits.csv.gz", 4),
        ]
        assert rows(session, "SELECT state, start_date FROM patient_states ORDER BY 1") == [
            ("died", date(2012, 5, 1)),
            ("transferred_out", date(2014, 1, 1)),
        ]
        assert rows(session, "SELECT DISTINCT datim_id FROM facilities") == [("PROGRAM_A",)]
        assert rows(
            session, "SELECT variable_name, value_numeric, value_text, value_coded FROM observations ORDER BY 1"
        ) == [
            ("cd4", None, None, None),
            ("viral_load", None, None, None),
        ]
        assert rows(session, "SELECT contact_date FROM contacts ORDER BY 1")[0] == (date(2010, 1, 10),)
        assert rows(session, "SELECT value -> 'rule' ->> 'kind' FROM tenant_settings WHERE key = 'cohort'") == [
            ("usual_interval",)
        ]


def test_programme_b_has_its_own_rows_and_its_own_closing_date(
    tenant: TenantRef, run_import: RunImport, cohort_files: list[Path]
) -> None:
    summary = run_import(tenant, cohort_files, example("art-cohort-program-b.yaml"))
    assert (summary.data_date, summary.rows_read, summary.rows_rejected) == (date(2015, 6, 21), 3, 0)
    assert summary.counts["visits"]["inserted"] == 1


APPOINTMENTS = """PatientId,AppointmentID,Gender,ScheduledDay,AppointmentDay,Age,Neighbourhood,Scholarship,\
Hipertension,Diabetes,Alcoholism,Handcap,SMS_received,No-show
29872499824296.0,1,F,2016-04-20T18:38:08Z,2016-04-29T00:00:00Z,62,JARDIM DA PENHA,0,1,0,0,0,1,No
29872499824296.0,2,F,2016-04-27T16:08:27Z,2016-05-10T00:00:00Z,62,JARDIM DA PENHA,0,0,0,0,0,1,Yes
93779.52927,3,M,2016-04-29T16:19:04Z,2016-04-29T00:00:00Z,0,MATA DA PRAIA,0,0,0,0,0,0,No
1.0,4,M,2016-05-10T10:00:00Z,2016-05-09T00:00:00Z,30,MATA DA PRAIA,0,0,0,0,0,0,Yes
2.0,5,F,2016-05-01T10:00:00Z,2016-05-09T00:00:00Z,-1,MATA DA PRAIA,0,0,0,0,0,0,No
"""


def test_appointments_are_bookings_with_their_outcomes(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    summary = run_import(tenant, write(tmp_path, appointments__csv__gz=APPOINTMENTS), example("appointments.yaml"))
    assert (summary.data_date, summary.rows_read, summary.rows_rejected) == (date(2016, 5, 10), 5, 1)
    assert sorted(problem["problem"] for problem in summary.problems) == [
        "an age outside 0-120 years",
        "the appointment is due before it was booked",
    ]
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT booked_on, due_date, status FROM appointments ORDER BY due_date, booked_on") == [
            (date(2016, 4, 20), date(2016, 4, 29), "kept"),
            (date(2016, 4, 29), date(2016, 4, 29), "kept"),
            (date(2016, 5, 1), date(2016, 5, 9), "kept"),
            (date(2016, 4, 27), date(2016, 5, 10), "missed"),
        ]
        assert rows(session, "SELECT sex, birthdate, birthdate_estimated FROM patients ORDER BY birthdate") == [
            ("F", date(1954, 1, 1), True),
            ("M", date(2016, 1, 1), True),
            ("F", None, False),
        ]
        # A booking is known from its own date, not later.
        known = "SELECT (known_from AT TIME ZONE 'Africa/Lagos')::date FROM appointments ORDER BY known_from"
        assert rows(session, known) == [
            (date(2016, 4, 20),),
            (date(2016, 4, 27),),
            (date(2016, 4, 29),),
            (date(2016, 5, 1),),
        ]
        settings = rows(
            session,
            "SELECT value ->> 'expected_from', value ->> 'grace_days' FROM tenant_settings WHERE key = 'cohort'",
        )
        assert settings == [("bookings", "0")]
        assert rows(session, "SELECT count(*) FROM observations") == [(0,)]
