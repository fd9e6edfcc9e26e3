"""Files read in a process of their own: the same rows, the same refusals, and no process left over."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import pytest

from core.database import TenantRef
from core.errors import Invalid
from core.privacy import BlindIndexes
from tenants.imports.mapping import Mapping, parse_mapping
from tenants.imports.reading import reader_process
from tenants.imports.reading.reader import PortionLimits
from tenants.imports.reading.reader_process import Portions, ReaderEnded, portions
from tenants.imports.reading.sources import Limits, Source, from_paths
from tests.tenants.imports.conftest import MAPPING, RunImport, everything, write
from tests.tenants.imports.formats.documents_of import fhir_resources, nmrs_containers

PEOPLE = 500


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that read, from now on for files of any size."""
    begun: list[subprocess.Popen[bytes]] = []
    genuine = subprocess.Popen

    def noted(*args: Any, **kwargs: Any) -> subprocess.Popen[bytes]:
        begun.append(genuine(*args, **kwargs))
        return begun[-1]

    monkeypatch.setattr(reader_process.subprocess, "Popen", noted)
    monkeypatch.setattr(reader_process, "LARGE_BYTES", 0)
    return begun


def many(folder: Path) -> list[Path]:
    people = "id,clinic,clinic_name,name,phone,sex,born,art_start,died_on\n" + "".join(
        f"P{number},C{number % 3},Clinic,Aaa,08030000001,F,1990-05-01,2023-01-10,\n" for number in range(PEOPLE)
    )
    pickups = "id,day,days,regimen,next\n" + "".join(
        f"P{number},2023-0{month}-10,30,TDF/3TC/DTG,2023-0{month + 1}-09\n"
        for number in range(PEOPLE)
        for month in (1, 2, 3)
    )
    return write(folder, patients__csv=people, pickups__csv=pickups + "P1,2031-01-10,30,TDF/3TC/DTG,\n")


def wanted(paths: list[Path], *, mapping: str = MAPPING) -> Portions:
    """A few rows at a time of CSV files."""
    return Portions(
        format="csv",
        sources=from_paths(paths),
        mapping=parse_mapping(mapping),
        after=None,
        data_date=date(2024, 6, 30),
        limits=PortionLimits(10, 1000, 10),
        blind=BlindIndexes(bytes(32)),
    )


def test_an_import_read_apart_writes_the_same_rows(
    make_tenant: Any, run_import: RunImport, tmp_path: Path, apart: list[subprocess.Popen[bytes]]
) -> None:
    paths = many(tmp_path)
    found = []
    for large in (1 << 40, 0):
        tenant = make_tenant().ref
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reader_process, "LARGE_BYTES", large)
            summary = run_import(tenant, paths)
        assert (summary.rows_read, summary.rows_refused) == (PEOPLE * 4 + 1, 1)
        found.append((summary.counts, unnamed(tenant)))
    assert found[0] == found[1]
    assert len(apart) == 1


def unnamed(tenant: TenantRef) -> dict[str, list[tuple[Any, ...]]]:
    """All rows but for what a tenant's keys make of them: identities and fingerprints."""
    return {
        table: sorted(tuple(str(value) for value in row if not isinstance(value, UUID | bytes)) for row in content)
        for table, content in everything(tenant).items()
    }


@pytest.mark.parametrize("make", [fhir_resources, nmrs_containers], ids=["fhir", "nmrs"])
def test_documents_are_read_apart_too(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, make: Any, apart: list[subprocess.Popen[bytes]]
) -> None:
    assert (
        run_import(tenant, make(tmp_path), Mapping(), data_date=date(2024, 6, 30)).counts["patients"]["inserted"] == 2
    )
    assert len(apart) == 1


def test_what_the_reader_refuses_is_refused_in_the_same_words(
    tmp_path: Path, apart: list[subprocess.Popen[bytes]]
) -> None:
    path = tmp_path / "patients.csv.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00 this is no archive")
    refusals = []
    for large in (1 << 40, 0):
        with portions(wanted([path]), large=large) as found, pytest.raises(Invalid) as refusal:
            list(found)
        refusals.append((refusal.value.detail, refusal.value.remedy, refusal.value.errors))
    assert refusals[0] == refusals[1]
    assert all(process.poll() is not None for process in apart)


def test_a_reading_process_that_is_killed_is_named_and_the_import_can_go_on(
    tmp_path: Path, apart: list[subprocess.Popen[bytes]]
) -> None:
    with portions(wanted(many(tmp_path))) as found:
        next(found)
        os.kill(apart[0].pid, signal.SIGKILL)
        with pytest.raises(ReaderEnded, match=r"ended too early \(signal 9\)") as ended:
            list(found)
    assert "again" in ended.value.remedy


def test_who_stops_listening_leaves_no_process(tmp_path: Path, apart: list[subprocess.Popen[bytes]]) -> None:
    with portions(wanted(many(tmp_path))) as found:
        next(found)
        assert apart[0].poll() is None
    assert apart[0].poll() is not None


def test_a_reading_process_whose_import_was_killed_ends_by_itself(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tenants.imports.reading.reader_process"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(pickle.dumps(wanted(many(tmp_path))))
    process.stdin.close()
    process.stdout.read(10)
    process.stdout.close()  # as the system does for a process that is killed
    assert process.wait(60) != 0


def broken() -> BinaryIO:
    """What fails in a way that nobody foresaw, and quotes a person's name."""
    message = "Givenname Familyname"
    raise RuntimeError(message)


def test_what_goes_wrong_in_the_reading_process_is_not_quoted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], apart: list[subprocess.Popen[bytes]]
) -> None:
    portion = wanted(many(tmp_path))
    source = Source("patients.csv", broken, 100, Limits())
    with (
        portions(replace(portion, sources=[source, portion.sources[1]])) as found,
        pytest.raises(ReaderEnded, match=r"exit code 3"),
    ):
        list(found)
    assert len(apart) == 1
    said = capfd.readouterr()
    assert "RuntimeError" in said.err
    assert "Givenname" not in said.err + said.out
