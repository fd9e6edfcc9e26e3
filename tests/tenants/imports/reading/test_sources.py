"""The import reads the files that people put into a folder, never a link, a pipe or a system's leftovers."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from core.errors import Invalid
from tenants.imports.reading.reader import detect
from tenants.imports.reading.sources import bystanders, from_paths


def test_a_link_in_a_folder_is_rejected_and_its_target_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.key"
    secret.write_text("c2VjcmV0\n")
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "list.csv").symlink_to(secret)
    with pytest.raises(Invalid, match="symbolic link") as caught:
        from_paths([folder])
    assert "c2VjcmV0" not in f"{caught.value.detail} {caught.value.remedy}"


def test_a_file_that_is_exchanged_for_a_link_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("id\n")
    (source,) = from_paths([path])
    secret = tmp_path / "secret.key"
    secret.write_text("secret\n")
    path.unlink()
    path.symlink_to(secret)
    with pytest.raises(Invalid, match="cannot be opened"):
        source.head()


@pytest.mark.parametrize("inside", [True, False])
def test_a_pipe_is_rejected_and_does_not_block(tmp_path: Path, *, inside: bool) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    os.mkfifo(folder / "list.csv")
    with pytest.raises(Invalid, match="not a regular file"):
        from_paths([folder if inside else folder / "list.csv"])


def test_a_path_that_the_operator_names_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("id\n")
    (tmp_path / "newest.csv").symlink_to(tmp_path / "list.csv")
    (source,) = from_paths([tmp_path / "newest.csv"])
    assert source.head().data == b"id\n"


def test_leftovers_of_systems_in_folders_are_left_out_and_named(tmp_path: Path) -> None:
    for name in ("list.csv", ".DS_Store", "Thumbs.db", "desktop.ini", "~$list.xlsx"):
        (tmp_path / name).write_bytes(b"id\n")
    assert [source.name for source in from_paths([tmp_path])] == ["list.csv"]
    assert bystanders([tmp_path]) == [".DS_Store", "Thumbs.db", "desktop.ini", "~$list.xlsx"]


def test_a_lock_file_that_is_named_is_called_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "~$list.xlsx"
    path.write_bytes(b"\x05Aaaaa" + b" " * 100)
    (source,) = from_paths([path])
    with pytest.raises(Invalid, match="lock file") as caught:
        source.head()
    assert "close the program" in caught.value.remedy


def test_an_archive_of_tables_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "lists.zip", "w") as archive:
        archive.writestr("list.csv", "id,name\n")
    with pytest.raises(Invalid) as caught:
        detect(from_paths([tmp_path / "lists.zip"]))
    assert caught.value.remedy == "unpack the archive, and give the tables in it"


def test_the_error_names_a_text_document_among_lists_as_one(tmp_path: Path) -> None:
    path = tmp_path / "notes.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<document/>")
    with pytest.raises(Invalid, match=r"notes\.docx") as caught:
        detect(from_paths([path]))
    assert caught.value.remedy.startswith("leave it out: it is a text document")


@pytest.mark.parametrize(
    ("member", "kind"),
    [("xl/workbook.xml", "workbook"), ("word/document.xml", "document"), ("ppt/a.xml", "document"), ("a.csv", "zip")],
)
def test_an_archive_is_of_the_kind_that_its_members_say(tmp_path: Path, member: str, kind: str) -> None:
    path = tmp_path / "file.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "")
    (source,) = from_paths([path])
    head = source.head()
    assert (head.container, head.is_archive) == (kind, True)


@pytest.mark.parametrize(("name", "kind"), [("a.xlsx", "workbook"), ("a.DOCX", "document"), ("a.zip", "zip")])
def test_a_damaged_archive_is_of_the_kind_that_its_name_says(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 cut off")
    (source,) = from_paths([tmp_path / name])
    assert source.head().container == kind
