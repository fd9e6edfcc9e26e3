"""Files read in a process of their own: the same rows, the same rejections, and no leftover process."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import UUID

import pytest

from core.database import TenantRef
from core.errors import Invalid, NotFound
from core.privacy import BlindIndexes
from tenants.imports.mapping import Mapping, parse_mapping
from tenants.imports.reading import reader_process
from tenants.imports.reading.blocks import PortionLimits
from tenants.imports.reading.reader_process import Portions, ReaderEnded, reading
from tenants.imports.reading.sources import Limits, Source, from_paths
from tenants.imports.reading.survey import SurveyRequest
from tests.tenants.imports.conftest import MAPPING, RunImport, everything, write
from tests.tenants.imports.formats.documents_of import fhir_resources, nmrs_containers

if TYPE_CHECKING:
    from collections.abc import Iterator

PEOPLE = 500


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The reading processes, used from now on for files of any size."""
    begun: list[subprocess.Popen[bytes]] = []
    genuine = subprocess.Popen

    def noted(*args: Any, **kwargs: Any) -> subprocess.Popen[bytes]:
        begun.append(genuine(*args, **kwargs))
        return begun[-1]

    monkeypatch.setattr(reader_process, "_spare", [])
    monkeypatch.setattr(reader_process.subprocess, "Popen", noted)
    monkeypatch.setattr(reader_process, "LARGE_BYTES", 0)
    yield begun
    for process in begun:
        reader_process.end(process)


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
        mapping=parse_mapping(mapping).model_copy(update={"time_zone": "Africa/Lagos"}),
        after=None,
        data_date=date(2024, 6, 30),
        limits=PortionLimits(10, 1000, 10),
        blind=BlindIndexes(bytes(32)),
    )


def test_an_import_read_apart_writes_the_same_rows(
    make_tenant: Any, run_import: RunImport, tmp_path: Path, apart: list[subprocess.Popen[bytes]]
) -> None:
    paths = many(tmp_path)
    outcomes = []
    for large in (1 << 40, 0):
        tenant = make_tenant().ref
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reader_process, "LARGE_BYTES", large)
            summary = run_import(tenant, paths)
        assert (summary.rows_read, summary.rows_rejected) == (PEOPLE * 4 + 1, 1)
        outcomes.append((summary.counts, unnamed(tenant)))
    assert outcomes[0] == outcomes[1]
    assert len(apart) == 1


def unnamed(tenant: TenantRef) -> dict[str, list[tuple[Any, ...]]]:
    """All rows without values that depend on a tenant's keys: identities and fingerprints."""
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


def test_the_reader_process_rejects_in_the_same_words(tmp_path: Path, apart: list[subprocess.Popen[bytes]]) -> None:
    path = tmp_path / "patients.csv.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00 this is no archive")
    rejections = []
    for large in (1 << 40, 0):
        asked = wanted([path])
        with reading(asked.sources, watch, shared=False, large=large) as reader, pytest.raises(Invalid) as rejection:
            list(reader.portions(asked))
        rejections.append((rejection.value.detail, rejection.value.remedy, rejection.value.errors))
    assert rejections[0] == rejections[1]
    assert all(process.poll() is not None for process in apart)


def apart_from(asked: Portions, watched: Any = None) -> Any:
    """A reader in a process of its own, as a worker has it."""
    return reading(asked.sources, watched or watch, shared=True)


def watch() -> None:
    """Do nothing: nobody has cancelled the import."""


def test_a_killed_reading_process_is_named_and_another_one_can_resume(
    tmp_path: Path, apart: list[subprocess.Popen[bytes]]
) -> None:
    asked = wanted(many(tmp_path))
    with apart_from(asked) as reader:
        portions = reader.portions(asked)
        next(portions)
        os.kill(apart[0].pid, signal.SIGKILL)
        with pytest.raises(ReaderEnded, match=r"pickups.csv|patients.csv") as ended:
            list(portions)
        assert "ended too early (signal 9)" in ended.value.detail
        assert sum(map(len, reader.portions(asked))) >= PEOPLE
    assert "again" in ended.value.remedy


def test_an_abandoned_reading_leaves_only_the_spare_process(
    tmp_path: Path, apart: list[subprocess.Popen[bytes]]
) -> None:
    asked = wanted(many(tmp_path))
    with apart_from(asked) as reader:
        next(reader.portions(asked))
        assert apart[0].poll() is None
    first, spare = apart
    assert first.poll() is not None
    assert spare.poll() is None
    with apart_from(asked) as reader:
        next(reader.portions(asked))
        assert len(apart) == 2, "the spare one was taken"
    assert spare.poll() is not None, "no process reads for two imports"


def test_a_reading_process_whose_import_was_killed_ends_by_itself(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*reader_process.COMMAND, str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(pickle.dumps((1 << 30, wanted(many(tmp_path)))))
    process.stdin.close()
    process.stdout.read(10)
    process.stdout.close()  # as the system does for a process that is killed
    assert process.wait(60) != 0


def hungry() -> BinaryIO:
    """A file whose reading takes memory without end."""
    hoard = []
    while True:
        hoard.append(bytearray(64 << 20))


def test_a_file_that_takes_too_much_memory_is_rejected_by_its_name(
    tmp_path: Path, settings_of: Any, apart: list[subprocess.Popen[bytes]]
) -> None:
    settings_of(import_reader_max_bytes=512 << 20)
    portion = wanted(many(tmp_path))
    asked = replace(portion, sources=[Source("patients.csv", hungry, 100, Limits()), portion.sources[1]])
    with apart_from(asked) as reader, pytest.raises(Invalid, match=r"patients.csv: .* more memory") as rejection:
        list(reader.portions(asked))
    assert "512 MB" in rejection.value.detail
    assert rejection.value.errors[0].field == "file patients.csv"
    assert rejection.value.remedy
    assert apart[0].poll() is not None


class Endless:
    """A file whose reading never ends; the mark shows that the reading began."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self) -> BinaryIO:
        (self.folder / "begun").touch()
        while True:
            signal.pause()


def endless(folder: Path) -> Portions:
    portion = wanted(many(folder))
    return replace(portion, sources=[Source("patients.csv", Endless(folder), 100, Limits()), portion.sources[1]])


def test_a_file_whose_reading_makes_no_progress_is_rejected_by_its_name(
    tmp_path: Path, settings_of: Any, apart: list[subprocess.Popen[bytes]]
) -> None:
    settings_of(import_reader_seconds=1)
    asked = endless(tmp_path)
    with apart_from(asked) as reader, pytest.raises(Invalid, match=r"patients.csv: .* no progress for 1 seconds"):
        list(reader.portions(asked))
    assert apart[0].poll() is not None


def test_a_cancel_is_seen_while_the_reader_is_busy_with_one_portion(
    tmp_path: Path, apart: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_process, "LOOK_SECONDS", 0.05)

    def cancelled() -> None:
        if (tmp_path / "begun").exists():
            raise InterruptedError

    asked = endless(tmp_path)
    with apart_from(asked, cancelled) as reader, pytest.raises(InterruptedError):
        list(reader.portions(asked))
    assert apart[0].poll() is not None


def test_a_message_that_is_too_large_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_process, "MOST_MESSAGE_BYTES", 1000)
    asked = wanted(many(tmp_path))
    with apart_from(asked) as reader, pytest.raises(Invalid, match="memory"):
        list(reader.portions(asked))


def test_the_reader_process_surveys_files_before_their_rows_too(tmp_path: Path) -> None:
    asked = wanted(many(tmp_path))
    survey = SurveyRequest(asked.sources, asked.mapping, "csv", None)
    with apart_from(asked) as reader:
        assert reader.survey(survey) == survey.run()
        assert list(reader.portions(asked)), "the same process then reads the rows"


def broken() -> BinaryIO:
    """Fail in an unforeseen way, with a person's name in the error."""
    message = "Givenname Familyname"
    raise RuntimeError(message)


def test_an_error_in_the_reading_process_is_not_quoted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], apart: list[subprocess.Popen[bytes]]
) -> None:
    portion = wanted(many(tmp_path))
    source = Source("patients.csv", broken, 100, Limits())
    asked = replace(portion, sources=[source, portion.sources[1]])
    with apart_from(asked) as reader, pytest.raises(Invalid, match=r"patients.csv: .*RuntimeError") as rejection:
        list(reader.portions(asked))
    assert "Givenname" not in f"{rejection.value.detail}{rejection.value.remedy}{rejection.value.errors}"
    printed = capfd.readouterr()
    assert "RuntimeError" in printed.err
    assert "Givenname" not in printed.err + printed.out


def missing() -> BinaryIO:
    """A stored file that is gone."""
    message = "there is no such stored file"
    raise NotFound(message, remedy="upload it again")


def test_an_error_that_is_not_the_files_fault_keeps_its_type(tmp_path: Path) -> None:
    portion = wanted(many(tmp_path))
    asked = replace(portion, sources=[Source("patients.csv", missing, 100, Limits()), portion.sources[1]])
    with apart_from(asked) as reader, pytest.raises(NotFound, match="no such stored file") as error:
        list(reader.portions(asked))
    assert error.value.remedy == "upload it again"


def test_when_the_last_of_several_imports_has_ended_garbage_is_collected_as_before() -> None:
    before = gc.get_threshold()
    first, second = reader_process.seldom_collecting(), reader_process.seldom_collecting()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold() == reader_process.YOUNG
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before
