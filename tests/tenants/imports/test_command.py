"""The command ``iit import``: exit codes, the answer as JSON, the report as a file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from core.cli.main import run
from core.database import TenantRef

from .conftest import MAPPING, PATIENTS, PICKUPS, write
from .test_service import BROKEN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A partner's folder, and the mapping beside it."""
    files = tmp_path / "files"
    files.mkdir()
    write(files, patients__csv=PATIENTS, pickups__csv=PICKUPS)
    write(tmp_path, mapping__yaml=MAPPING)
    return tmp_path


def test_a_folder_is_imported_and_the_answer_is_one_json_object(
    tenant: TenantRef, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["import", tenant.slug, str(folder / "files"), "--mapping", str(folder / "mapping.yaml"), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (answer["state"], answer["rows_read"], answer["files"]) == ("done", 7, ["patients.csv", "pickups.csv"])


def test_rejected_rows_end_with_code_3_and_a_report(
    tenant: TenantRef, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "files", pickups__csv=BROKEN)
    report = folder / "rejected.csv"
    words = [
        "import",
        tenant.slug,
        str(folder / "files"),
        "--mapping",
        str(folder / "mapping.yaml"),
        "--rejections",
        str(report),
    ]
    assert run(words) == 3
    output = capsys.readouterr()
    assert "rejected 5, waiting 1" in output.out
    assert "no import has named a patient with this identifier yet" in output.out
    assert "of 14 rows 5 were rejected and 1 taken without some of their cells" in output.err
    assert "1 wait for people whom no import has named" in output.err
    with report.open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 6


def test_strict_ends_with_code_1_and_the_report_is_there(
    tenant: TenantRef, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "files", pickups__csv=BROKEN)
    report = folder / "rejected.csv"
    words = ["import", tenant.slug, str(folder / "files"), "--mapping", str(folder / "mapping.yaml"), "--strict"]
    assert run([*words, "--rejections", str(report)]) == 1
    assert "the import is strict" in capsys.readouterr().err
    assert len(report.read_text(encoding="utf-8").splitlines()) == 7


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no/such/file"], "there is no such file or folder"),
        (["files", "--mapping", "no.yaml"], "the mapping cannot be read"),
        (["files", "--format", "radish"], "there is no such import format"),
        (["files"], "needs a mapping"),
        (["files", "files/patients.csv"], "two files have this name"),
    ],
)
def test_an_error_says_what_is_wrong_and_what_to_do(
    tenant: TenantRef,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    assert run(["import", tenant.slug, *words]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "what to do:" in error
