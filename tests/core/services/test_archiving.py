"""WAL goes to the archive whole, never over another, and comes back; run as the server runs it, by a shell."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from core.services.archiving import restore_settings, settings_of


def command(text: str, name: str) -> str:
    match = re.search(rf"^{name} = '(.*)'$", text, re.MULTILINE)
    assert match
    return match[1].replace("''", "'")


def call(template: str, path: Path, name: str) -> int:
    line = template.replace("%p", str(path)).replace("%f", name)
    return subprocess.run(["sh", "-c", line], check=False).returncode


@pytest.mark.parametrize("packed", [True, False])
def test_a_segment_is_archived_once_and_restored_as_it_was(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    packed: bool,  # noqa: FBT001 - a parameter
) -> None:
    if not packed:
        monkeypatch.setattr("shutil.which", lambda _name: None)
    archive = tmp_path / "a folder's wal"
    archive.mkdir()
    store = command(settings_of(str(archive)), "archive_command")
    fetch = command(restore_settings(archive, "2026-01-01T00:00:00+00:00"), "restore_command")
    segment, other, back = tmp_path / "one", tmp_path / "two", tmp_path / "back"
    segment.write_bytes(b"wal" * 1000)
    other.write_bytes(b"law" * 1000)
    assert call(store, segment, "0001") == 0
    assert call(store, segment, "0001") == 0, "archived again after a crash"
    assert call(store, other, "0001") != 0, "never over another"
    assert call(fetch, back, "0001") == 0
    assert back.read_bytes() == segment.read_bytes()
    assert call(fetch, tmp_path / "none", "0002") != 0
    assert [file.name for file in archive.iterdir()] == ["0001.gz" if packed else "0001"]


def test_a_folder_whose_name_a_shell_would_read_is_rejected() -> None:
    for path in ('/a"b', "/a`b`", "/$HOME", "/a%pb", "/a\\b"):
        with pytest.raises(ValueError, match="path"):
            settings_of(path)


def test_without_an_archive_wal_is_left_to_the_server() -> None:
    assert command(settings_of(None), "archive_command") == "true"
