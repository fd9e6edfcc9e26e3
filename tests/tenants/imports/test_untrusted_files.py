"""A hostile file harms nobody else: its import fails and names it, the worker continues, the next import succeeds."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from core.jobs.worker import drain
from core.tenancy import CreatedTenant

from .formats.test_lamisplus_pharmacy import ROWS, workbook
from .test_api import get, parts, send

CELLS = 6_000_000


def row_of_many_cells(path: Path) -> bytes:
    """A workbook of some kilobytes whose first row of data has six million cells."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(path) as original,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name in original.namelist():
            content = original.read(name)
            if name.startswith("xl/worksheets/"):
                head, tail = content.split(b"</sheetData>")
                with archive.open(name, "w", force_zip64=True) as sheet:
                    sheet.write(head + b'<row r="9">')
                    for _ in range(CELLS // 10_000):
                        sheet.write(b"<c><v>1</v></c>" * 10_000)
                    sheet.write(b"</row></sheetData>" + tail)
            else:
                archive.writestr(name, content)
    return buffer.getvalue()


def test_a_row_of_millions_of_cells_fails_its_import_and_takes_no_memory_of_this_process(
    api: TestClient, owner: CreatedTenant, tmp_path: Path, settings_of: Any
) -> None:
    settings_of(import_reader_max_bytes=512 << 20)
    bomb = row_of_many_cells(workbook(tmp_path / "list.xlsx", ROWS))
    before = peak()
    upload = send(api, files=parts(bomb__xlsx=bomb), data={"data_date": "2024-06-30"}).json()
    drain(owner.ref)
    failed = get(api, upload)
    assert failed["state"] == "failed"
    (failure,) = failed["failure"]
    assert failure["field"] == "file bomb.xlsx"
    assert failure["remedy"]
    assert api.get(f"/v1/jobs/{upload['job_id']}").json()["state"] == "done"
    assert peak() - before < 256 << 20, "this process read no row of it"

    innocent = send(api).json()
    drain(owner.ref)
    assert get(api, innocent)["state"] == "done"


def peak() -> int:
    """The most memory that this process ever had, in bytes."""
    lines = Path(f"/proc/{os.getpid()}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10
