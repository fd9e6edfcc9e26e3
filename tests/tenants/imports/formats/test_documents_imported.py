"""NMRS containers, FHIR resources and NDR messages imported into the records: repeated, voided, ambiguous or broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from core.database import TenantRef, tenant_session
from core.errors import Invalid
from tenants.imports import repository, uploads
from tenants.imports.facts import Fact, Reading, VisitFact
from tenants.imports.mapping import Mapping
from tenants.imports.reading.blocks import PortionLimits, chunks
from tenants.imports.report import Summary
from tests.tenants.imports.conftest import RunImport, everything, rows

from .documents_of import (
    DOCUMENTS_DAY,
    container,
    dispense,
    fhir_resources,
    location,
    message,
    ndjson,
    ndr_messages,
    nmrs_containers,
    obs,
    resources,
    zipped,
)

Make = Callable[[Path], list[Path]]
FORMATS = pytest.mark.parametrize(
    ("make", "name"),
    [(nmrs_containers, "nmrs-json"), (fhir_resources, "fhir-r4"), (ndr_messages, "ndr-xml")],
    ids=["nmrs", "fhir", "ndr"],
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for a partner's files."""
    files = tmp_path / "files"
    files.mkdir()
    return files


def reported(tenant: TenantRef, summary: Summary) -> list[tuple[Any, ...]]:
    with tenant_session(tenant, actor="test:1") as session:
        return list(repository.rejections(session, summary.id))


@FORMATS
def test_documents_become_records_and_again_change_nothing(
    tenant: TenantRef, run_import: RunImport, folder: Path, make: Make, name: str
) -> None:
    paths = make(folder)
    summary = run_import(tenant, paths, Mapping())
    assert (summary.format, summary.state, summary.rows_rejected) == (name, "done", 0)
    assert summary.counts["patients"]["inserted"] == 2
    assert summary.counts["dispensations"]["inserted"] >= 2
    before = everything(tenant)
    assert {row[2:5] for row in before["contacts"]} >= {(True, True, 90)}
    assert {row[0] for row in before["facilities"]} == {"dat1"}
    again = run_import(tenant, paths, Mapping())
    assert everything(tenant) == before
    assert {
        kind: (counts["inserted"], counts["updated"]) for kind, counts in again.counts.items() if kind != "facilities"
    } == {kind: (0, 0) for kind in again.counts if kind != "facilities"}


STRAY = "Export of June, for the clinic\nplease, read\n"


@pytest.mark.parametrize("zip_up", [False, True], ids=["folder", "archive"])
@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("nmrs-json", {"b.json": json.dumps(container(1)), "c.json": json.dumps(container(2))}),
        ("ndr-xml", {"b.xml": message(1), "c.xml": message(2)}),
    ],
)
def test_a_stray_text_among_documents_rejects_only_that_file(
    tenant: TenantRef,
    run_import: RunImport,
    folder: Path,
    name: str,
    members: dict[str, str],
    zip_up: bool,  # noqa: FBT001 - of the table above
) -> None:
    members = {"README.txt": STRAY, **members}
    if zip_up:
        zipped(folder / "all.zip", members)
    else:
        for file, text in members.items():
            (folder / file).write_text(text, encoding="utf-8")
    summary = run_import(tenant, [folder], Mapping())
    assert (summary.format, summary.rows_accepted, summary.rows_rejected) == (name, 2, 1)
    (rejected,) = reported(tenant, summary)
    assert "file (in README.txt)" in rejected if zip_up else rejected[0] == "README.txt"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("other.xml", message()),
        ("other.ndjson", ndjson(resources())),
        ("list.txt", "DATIM Id,Patient Id,Date Visit,Refill Period\n"),
        ("list.csv", "id,day\n"),
    ],
)
def test_containers_among_files_of_another_format_are_rejected(
    tenant: TenantRef, run_import: RunImport, folder: Path, file: str, content: str
) -> None:
    nmrs_containers(folder)
    (folder / file).write_text(content, encoding="utf-8")
    with pytest.raises(Invalid, match="several formats"):
        run_import(tenant, [folder], Mapping())


def test_a_bundle_without_entries_is_noted_and_the_error_of_a_server_rejected(
    tenant: TenantRef, run_import: RunImport, folder: Path
) -> None:
    path = folder / "1.json"
    path.write_text('{"resourceType": "Bundle", "type": "searchset", "total": 0}', encoding="utf-8")
    summary = run_import(tenant, [path], Mapping(), data_date=DOCUMENTS_DAY)
    assert (summary.state, summary.rows_read) == ("done", 0)
    assert summary.notes == ["nothing was read: the files hold no rows; check that they were exported whole"]
    path.write_text('{"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}', encoding="utf-8")
    for day in (None, DOCUMENTS_DAY):
        with pytest.raises(Invalid, match="the server answered with an error"):
            run_import(tenant, [path], Mapping(), data_date=day)
    fhir_resources(folder)
    assert run_import(tenant, [folder], Mapping(), data_date=DOCUMENTS_DAY).notes == []


def test_a_voided_record_supersedes_the_imported_one_and_may_come_back(
    tenant: TenantRef, run_import: RunImport, folder: Path
) -> None:
    path = folder / "1.json"

    def contacts(day: date, content: dict[str, Any]) -> list[Any]:
        path.write_text(json.dumps(content), encoding="utf-8")
        assert run_import(tenant, [path], Mapping(), data_date=day).rows_rejected == 0
        with tenant_session(tenant, actor="test:1") as session:
            return rows(
                session, "SELECT contact_date, pickup FROM contacts WHERE known_to IS NULL ORDER BY contact_date"
            )

    whole = container()
    both = [(date(2024, 1, 10), True), (date(2024, 4, 9), True)]
    assert contacts(date(2024, 6, 1), whole) == both
    less = container()
    less["messageData"]["encounters"][1]["voided"] = 1
    assert contacts(date(2024, 6, 2), less) == [(date(2024, 1, 10), True), (date(2024, 4, 9), False)]
    assert contacts(date(2024, 6, 3), whole) == both


def test_a_voided_patient_is_a_tombstone(tenant: TenantRef, run_import: RunImport, folder: Path) -> None:
    (folder / "1.xml").write_text(message(), encoding="utf-8")
    run_import(tenant, [folder], Mapping(), data_date=date(2024, 6, 1))
    (folder / "1.xml").write_text(message(status="REDACTED"), encoding="utf-8")
    summary = run_import(tenant, [folder], Mapping(), data_date=date(2024, 6, 2))
    assert summary.counts["patients"]["updated"] == 1
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT voided, voided_by FROM patients WHERE known_to IS NULL") == [(True, "source")]
        assert rows(session, "SELECT count(*) FROM contacts WHERE known_to IS NULL") == [(0,)]


def test_a_wrong_date_in_a_voided_record_rejects_nothing(
    tenant: TenantRef, run_import: RunImport, folder: Path
) -> None:
    content = container()
    content["messageData"]["visits"] += [
        {"visitUuid": "early", "dateStarted": "1950-01-01 00:00:00", "voided": 1},
        {"visitUuid": "late", "dateStarted": "2055-01-01 00:00:00", "voided": 1},
    ]
    (folder / "1.json").write_text(json.dumps(content), encoding="utf-8")
    assert run_import(tenant, [folder], Mapping()).rows_rejected == 0


def test_implausible_values_are_rejected_by_place_and_the_rest_of_the_person_stays(
    tenant: TenantRef, run_import: RunImport, folder: Path
) -> None:
    content = container()
    body = content["messageData"]
    body["visits"][0]["dateStarted"] = "1950-01-01 00:00:00"
    body["visits"][1]["dateStarted"] = "2024-12-24 00:00:00"
    body["obs"].append(obs("e1-3", "2024-04-09 10:00:00", 900_000, conceptId=5497))
    (folder / "1.json").write_text(json.dumps(content), encoding="utf-8")
    summary = run_import(tenant, [folder], Mapping())
    assert (summary.rows_read, summary.rows_in_part) == (1, 1)
    assert {(field, problem) for _, _, field, problem, *_ in reported(tenant, summary)} == {
        ("messageData.visits[0].dateStarted", "the date lies before the date of birth of the patient"),
        ("messageData.visits[1].dateStarted", "the date lies after the data date"),
        ("messageData.obs[11].valueNumeric", "a value outside 0-10000 cells/mm3"),
    }
    assert summary.counts["patients"]["inserted"] == 1
    assert summary.counts["dispensations"]["inserted"] == 2


def test_a_patient_in_two_files_that_differ_is_rejected_in_one(
    tenant: TenantRef, run_import: RunImport, folder: Path
) -> None:
    nmrs_containers(folder)
    (folder / "3.json").write_text(json.dumps(container(1, gender="M")), encoding="utf-8")
    (folder / "4.json").write_text(json.dumps(container(2)), encoding="utf-8")
    summary = run_import(tenant, [folder], Mapping())
    assert (summary.rows_read, summary.rows_rejected, summary.rows_repeated) == (4, 1, 1)
    assert [row[0] for row in reported(tenant, summary)] == ["3.json"]
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT DISTINCT sex FROM patients") == [("F",)]


def test_broken_files_among_good_ones_are_rejected_rows(tenant: TenantRef, run_import: RunImport, folder: Path) -> None:
    nmrs_containers(folder)
    (folder / "3.json").write_bytes(b"")
    (folder / "4.json").write_text(json.dumps(container(4))[:-9], encoding="utf-8")
    (folder / "5.txt").write_bytes(b"\x00\x01\x02")
    (folder / "6.json").write_text("[]", encoding="utf-8")
    summary = run_import(tenant, [folder], Mapping())
    assert (summary.rows_read, summary.rows_accepted, summary.rows_rejected) == (6, 2, 4)
    assert {row[0] for row in reported(tenant, summary)} == {"3.json", "4.json", "5.txt", "6.json"}


def test_problems_are_counted_across_places_and_files(tenant: TenantRef, run_import: RunImport, folder: Path) -> None:
    for person in range(1, 23):
        content = container(person)
        for place in (3, 6):
            content["messageData"]["obs"][place]["valueText"] = "soon"
        (folder / f"{person}.json").write_text(json.dumps(content), encoding="utf-8")
    first, second = (json.dumps(container(person)).replace('"F"', '"?"') for person in (30, 31))
    zipped(folder / "all.zip", {"1 (in).json": first, "2.json": second})
    summary = run_import(tenant, [folder], Mapping())
    assert [(problem["file"], problem["field"], problem["count"]) for problem in summary.problems] == [
        ("22 files", "messageData.obs[].valueText", 44),
        ("all.zip", "messageData.demographics.gender", 2),
    ]


def test_dispensations_of_unknown_patients_wait(tenant: TenantRef, run_import: RunImport, folder: Path) -> None:
    fhir_resources(folder)
    (folder / "3.ndjson").write_text(ndjson([dispense(9)]), encoding="utf-8")
    summary = run_import(tenant, [folder], Mapping())
    assert reported(tenant, summary) == []
    assert [(entry["field"], entry["rows"]) for entry in summary.waiting] == [("MedicationDispense.subject", 1)]


def test_a_bundle_cut_off_leaves_nothing(tenant: TenantRef, run_import: RunImport, folder: Path) -> None:
    fhir_resources(folder)
    path = folder / "1.json"
    path.write_text(path.read_text(encoding="utf-8")[:-100], encoding="utf-8")
    with pytest.raises(Invalid, match="cut off or damaged"):
        run_import(tenant, [folder], Mapping(), data_date=date(2024, 6, 1))
    assert not any(everything(tenant).values())


def test_a_transaction_holds_fewer_rows_where_each_is_a_whole_history() -> None:
    visit = VisitFact(key="v", patient="p", date_started=date(2024, 1, 1))
    large: list[Fact] = [visit] * 10
    small: list[Fact] = [visit]
    readings = [Reading(0, number, facts=large if number < 6 else small) for number in range(20)]
    assert [len(chunk) for chunk in chunks(readings, PortionLimits(10, 25, 10))] == [3, 3, 10, 4]


def test_an_archive_that_was_uploaded_is_read_from_the_store(
    tenant: TenantRef, run_import: RunImport, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = ndr_messages(folder)
    with path.open("rb") as stream:
        (upload,) = uploads.store(tenant, [(path.name, stream)])
    source = uploads._source(tenant, _file(upload))
    monkeypatch.setattr("tests.tenants.imports.conftest.from_paths", lambda _: [source])
    assert run_import(tenant, [path], Mapping()).counts["patients"]["inserted"] == 2


def _file(upload: Any) -> Any:
    from tenants.imports.models import ImportFile
    from tenants.records.ids import new_uuid

    return ImportFile(
        import_uuid=new_uuid(),
        number=0,
        name=upload.name,
        size=upload.size,
        sha256=upload.sha256,
        blob_key=upload.blob_key,
    )


def test_the_examples_in_the_docs_have_the_tested_shapes() -> None:
    examples = Path(__file__).resolve().parents[4] / "docs" / "examples"
    assert json.loads((examples / "nmrs-container.json").read_text(encoding="utf-8")) == container()
    assert (examples / "fhir-bulk.ndjson").read_text(encoding="utf-8") == ndjson([*resources(), location()])
    assert (examples / "ndr-message.xml").read_text(encoding="utf-8") == message()
