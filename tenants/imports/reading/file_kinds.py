"""Detect the kind of a file by its first bytes. For a file that no reader takes, the error names the kind."""

from __future__ import annotations

import codecs
import lzma
import struct
import zipfile
import zlib
from typing import BinaryIO, Literal

ZipKind = Literal["workbook", "document", "zip"]
DAMAGE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    ArithmeticError,
    RuntimeError,
)
"""The errors from reading a damaged archive: offsets that point nowhere, wrong lengths, unknown methods."""
_WORKBOOKS = (".xlsx", ".xlsm")
_DOCUMENTS = (".docx", ".pptx")
_TABLE = "export the table itself, as CSV or .xlsx"
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (
        b"\xd0\xcf\x11\xe0",
        "an old .xls workbook or one with a password",
        "save it as .xlsx without a password, or as CSV UTF-8",
    ),
    (b"%PDF", "a PDF", _TABLE),
    (b"{\\rtf", "a text document (RTF)", _TABLE),
    (b"\x89PNG", "a picture (PNG)", _TABLE),
    (b"\xff\xd8\xff", "a picture (JPEG)", _TABLE),
    (b"GIF8", "a picture (GIF)", _TABLE),
    (b"SQLite format 3\x00", "an SQLite database", _TABLE),
    (b"\x00\x01\x00\x00Standard", "a Microsoft Access database", _TABLE),
    (b"PGDMP", "a dump of a PostgreSQL database", _TABLE),
    (b"BZh", "a bzip2 archive", "unpack it first, or compress with gzip"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
    (b"Rar!", "a rar archive", "unpack it first"),
    (b"\xfd7zXZ", "an xz archive", "unpack it first, or compress with gzip"),
    (b"(\xb5/\xfd", "a zstd archive", "unpack it first, or compress with gzip"),
)
_PAGES = (b"<!doctype html", b"<html", b"<table", b"<head", b"<body", b"<meta", b"<style", b"<script")
_SAVE_AS = "open it in a spreadsheet program and save it as .xlsx, or as CSV UTF-8"
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def wrong_kind(start: bytes) -> tuple[str, str] | None:
    """The kind of a file that no reader takes, and what to do; None if a reader may take it.

    Args:
        start: the first kilobytes of the file; text must be in UTF-8.
    """
    for magic, what, remedy in _MAGIC:
        if start.startswith(magic):
            return what, remedy
    text = start[:2048].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if text.startswith(_PAGES):
        return "a web page (HTML), whatever its name says", _SAVE_AS
    if text.startswith(b"<?xml") and (b'progid="excel.sheet"' in text or b"schemas-microsoft-com:office:spr" in text):
        return "an XML spreadsheet of 2003", _SAVE_AS
    return None


def zip_kind(stream: BinaryIO, name: str) -> ZipKind:
    """The purpose of a zip archive, damaged or not: a workbook, a text document or presentation, or files.

    Args:
        stream: the archive, from its beginning.
        name: name of the file; its ending decides if the archive is damaged.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            names = archive.namelist()
    except DAMAGE:
        plain = name.casefold()
        return "workbook" if plain.endswith(_WORKBOOKS) else "document" if plain.endswith(_DOCUMENTS) else "zip"
    if any(member.startswith("xl/") for member in names):
        return "workbook"
    return "document" if any(member.startswith(("word/", "ppt/")) for member in names) else "zip"


def plain_head(start: bytes) -> tuple[bytes, str]:
    """The first kilobytes as UTF-8, and the encoding that their mark gives (empty if there is no mark)."""
    if start.startswith(UTF16):
        return start[: len(start) // 2 * 2].decode("utf-16", "replace").encode("utf-8", "replace"), "utf-16"
    return start, ""
