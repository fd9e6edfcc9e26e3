"""Imports over the API: uploads, progress, the report, cancelling; and what remains of an upload."""

from __future__ import annotations

import csv
import gzip
import io
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from core import blobs
from core.database import TenantRef, tenant_session
from core.errors import NotFound
from core.jobs.worker import drain
from core.tenancy import CreatedTenant
from tenants.imports import repository
from tenants.imports.reading.reader import formats
from tenants.imports.runner import ENDED, SECONDS

from .conftest import MAPPING, PATIENTS, PICKUPS, rows
from .formats.test_lamisplus_pharmacy import ROWS, workbook
from .test_service import BROKEN


def parts(**texts: str | bytes) -> list[tuple[str, tuple[str, bytes]]]:
    """The files of a multipart body."""
    return [
        ("files", (name.replace("__", "."), text if isinstance(text, bytes) else text.encode()))
        for name, text in texts.items()
    ]


def send(api: TestClient, **changes: Any) -> Any:
    request = {"files": parts(patients__csv=PATIENTS, pickups__csv=PICKUPS), "data": {"mapping": MAPPING}}
    return api.post("/v1/imports", **(request | changes))


def get(api: TestClient, upload: dict[str, Any]) -> dict[str, Any]:
    answer = api.get(f"/v1/imports/{upload['id']}")
    assert answer.status_code == 200
    read: dict[str, Any] = answer.json()
    return read


def stored(tenant: TenantRef, upload: dict[str, Any]) -> list[str | None]:
    with tenant_session(tenant, actor="test:1") as session:
        return [file.blob_key for file in repository.files(session, UUID(upload["id"]))]


def seconds_counted() -> float:
    (reading,) = SECONDS.reading()
    return sum(buckets[-1][1] for _, buckets, _ in reading.buckets)


def test_an_upload_is_imported_by_a_job(api: TestClient, owner: CreatedTenant) -> None:
    answer = send(api)
    assert answer.status_code == 202, answer.text
    upload = answer.json()
    assert answer.headers["Location"] == f"/v1/imports/{upload['id']}"
    assert (upload["state"], upload["rows_read"]) == ("pending", 0)
    keys = stored(owner.ref, upload)
    for key, text in zip(keys, (PATIENTS, PICKUPS), strict=True):
        assert key is not None
        assert blobs.get(owner.ref, key) == text.encode()
    ended, taken = ENDED.value("done"), seconds_counted()
    drain(owner.ref)
    assert (ENDED.value("done"), seconds_counted()) == (ended + 1, taken + 1)
    done = get(api, upload)
    assert (done["state"], done["rows_read"], done["rows_rejected"]) == ("done", 7, 0)
    assert done["counts"]["dispensations"]["inserted"] == 4
    assert api.get(f"/v1/jobs/{upload['job_id']}").json()["state"] == "done"
    for key in keys:
        assert key is not None
        with pytest.raises(NotFound):
            blobs.get(owner.ref, key)


def test_a_workbook_and_a_gzip_file_are_read_from_the_store(
    api: TestClient, owner: CreatedTenant, tmp_path: Any
) -> None:
    path = workbook(tmp_path / "list.xlsx", ROWS)
    upload = send(api, files=parts(list__xlsx=path.read_bytes()), data={"data_date": "2024-06-30"}).json()
    drain(owner.ref)
    assert get(api, upload)["counts"]["dispensations"]["inserted"] == 4
    mistitled = parts(list__csv=workbook(tmp_path / "later.xlsx", ROWS).read_bytes())
    upload = send(api, files=mistitled, data={"data_date": "2024-07-31"}).json()
    drain(owner.ref)
    assert get(api, upload)["state"] == "done"
    zipped = parts(
        patients__csv=PATIENTS.replace("Clinic one", "Clinic of its own"),
        pickups__csv__gz=gzip.compress(PICKUPS.encode()),
    )
    upload = send(api, files=zipped).json()
    drain(owner.ref)
    assert get(api, upload)["counts"]["dispensations"]["inserted"] == 4


def test_the_same_content_sent_again_is_the_same_import(api: TestClient, owner: CreatedTenant) -> None:
    first, again = send(api).json(), send(api).json()
    assert (again["id"], again["job_id"]) == (first["id"], first["job_id"])
    for flag in ("strict", "new_people"):
        assert send(api, data={"mapping": MAPPING, flag: "true"}).json()["id"] != first["id"]
    with tenant_session(owner.ref, actor="test:1") as session:
        assert rows(session, "SELECT count(*) FROM imports") == [(3,)]


def test_the_report_of_rejected_rows_is_downloaded_and_holds_no_value(api: TestClient, owner: CreatedTenant) -> None:
    upload = send(api, files=parts(patients__csv=PATIENTS, pickups__csv=BROKEN)).json()
    drain(owner.ref)
    done = get(api, upload)
    assert done["rows_accepted"] + done["rows_rejected"] + done["rows_waiting"] == done["rows_read"]
    assert [(one["field"], one["rows"], one["people"]) for one in done["waiting"]] == [("id", 1, 1)]
    answer = api.get(f"/v1/imports/{upload['id']}/rejections.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(lines) == done["rows_rejected"] + done["rows_in_part"]
    assert len(lines) == sum(problem["count"] for problem in done["problems"])
    assert sum(line["row"] == "accepted" for line in lines) == done["rows_in_part"] == 1
    assert lines[0] == {
        "file": "pickups.csv",
        "line": "3",
        "field": "day",
        "problem": "not a date in a form that the mapping names",
        "remedy": "write it as one of: iso, dd-Mon-yyyy; or name its form in the mapping under 'date_formats'",
        "row": "rejected",
    }
    assert not any(value in answer.text for value in ("31/02/2023", "NOBODY", "thirty", "Aaa"))
    with tenant_session(owner.ref, actor="test:1") as session:
        assert rows(session, "SELECT count(*) FROM audit_events WHERE action = 'import:rejections:read'") == [(1,)]


def test_names_of_files_and_columns_are_no_formulas_in_the_report(api: TestClient, owner: CreatedTenant) -> None:
    mapping = (
        "data_date: 2024-06-30\nfiles: {t: {name: '*'}}\nfacility: {datim_id: {constant: C1}}\n"
        "records: [{into: patients, file: t, patient: id, columns: {sex: '=cmd()'}}]\n"
    )
    name = "@import.csv"
    upload = send(api, files=[("files", (name, b"id,=cmd()\nP1,X\n"))], data={"mapping": mapping}).json()
    drain(owner.ref)
    text = api.get(f"/v1/imports/{upload['id']}/rejections.csv").text
    assert text.splitlines()[1].startswith("'@import.csv,2,'=cmd(),an unknown code")


def test_a_file_that_cannot_be_read_ends_the_import_and_not_the_job(api: TestClient, owner: CreatedTenant) -> None:
    upload = send(api, files=parts(patients__csv=PATIENTS, pickups__csv=b"%PDF-1.7")).json()
    ended = ENDED.value("failed")
    drain(owner.ref)
    assert ENDED.value("failed") == ended + 1
    done = get(api, upload)
    assert done["state"] == "failed"
    assert done["error"] == "pickups.csv: the file is a PDF"
    assert api.get(f"/v1/jobs/{upload['job_id']}").json()["state"] == "done"


def test_an_upload_missing_from_the_store_fails_the_import_with_this_reason(
    api: TestClient, owner: CreatedTenant
) -> None:
    upload = send(api).json()
    for key in stored(owner.ref, upload):
        blobs.delete(owner.ref, str(key))
    drain(owner.ref)
    ended = get(api, upload)
    assert ended["state"] == "failed"
    assert "no longer stored" in ended["error"]


def test_strict_fails_with_the_report_and_imports_nothing(api: TestClient, owner: CreatedTenant) -> None:
    files = parts(patients__csv=PATIENTS, pickups__csv=BROKEN)
    upload = send(api, files=files, data={"mapping": MAPPING, "strict": "true"}).json()
    drain(owner.ref)
    done = get(api, upload)
    assert (done["state"], done["counts"], done["rows_rejected"]) == ("failed", {}, 5)
    assert api.get("/v1/patients").json()["total"] == 0


def test_a_pending_import_is_cancelled_and_its_files_are_deleted(api: TestClient, owner: CreatedTenant) -> None:
    upload = send(api).json()
    key = stored(owner.ref, upload)[0]
    answer = api.delete(f"/v1/imports/{upload['id']}")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert key is not None
    assert not blobs.exists(owner.ref, key)
    drain(owner.ref)
    assert get(api, upload)["state"] == "cancelled"
    assert api.delete(f"/v1/imports/{upload['id']}").status_code == 409


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"data": {"mapping": MAPPING.replace("sex: sex", "gender: sex")}}, "body.mapping.records.0"),
        ({"data": {"mapping": MAPPING, "format": "radish"}}, "body.format"),
        ({"data": {"mapping": "a: ["}}, "body.mapping"),
        ({"files": [*parts(a__csv="x"), *parts(a__csv="y")]}, "body.files"),
    ],
)
def test_a_wrong_request_is_answered_with_its_errors_at_once(
    api: TestClient, change: dict[str, Any], field: str
) -> None:
    answer = send(api, **change)
    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json()["errors"]]


def test_imports_are_listed_the_newest_first(api: TestClient) -> None:
    first = send(api).json()
    second = send(api, data={"mapping": MAPPING, "data_date": "2024-06-29"}).json()
    page = api.get("/v1/imports", params={"page_size": 1}).json()
    assert (page["total"], page["items"][0]["id"]) == (2, second["id"])
    assert api.get("/v1/imports", params={"page": 2, "page_size": 1}).json()["items"][0]["id"] == first["id"]


def test_formats_are_listed(api: TestClient) -> None:
    assert [item["name"] for item in api.get("/v1/imports/formats").json()] == list(formats())


def test_an_upload_of_the_same_files_finishes_an_import_begun_from_a_path(
    api: TestClient, owner: CreatedTenant
) -> None:
    upload = send(api).json()
    with tenant_session(owner.ref, actor="test:1") as session:
        for file in repository.files(session, UUID(upload["id"])):
            file.blob_key = None  # as if it began on the command line
            session.add(file)
    assert send(api).json()["id"] == upload["id"]
    assert None not in stored(owner.ref, upload)
    drain(owner.ref)
    assert get(api, upload)["state"] == "done"
