"""Detect the kind of a file by its first bytes. For a file that no reader takes, the error names the kind."""

from __future__ import annotations

import codecs
import lzma
import struct
import zipfile
import zlib
from typing import BinaryIO, Literal

from core.errors import phrase

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
_TABLE = phrase("export the table itself, as CSV or .xlsx")
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (
        b"\xd0\xcf\x11\xe0",
        phrase("an old .xls workbook or one with a password"),
        phrase("save it as .xlsx without a password, or as CSV UTF-8"),
    ),
    (b"%PDF", phrase("a PDF"), _TABLE),
    (b"{\\rtf", phrase("a text document (RTF)"), _TABLE),
    (b"\x89PNG", phrase("a picture (PNG)"), _TABLE),
    (b"\xff\xd8\xff", phrase("a picture (JPEG)"), _TABLE),
    (b"GIF8", phrase("a picture (GIF)"), _TABLE),
    (b"SQLite format 3\x00", phrase("an SQLite database"), _TABLE),
    (b"\x00\x01\x00\x00Standard", phrase("a Microsoft Access database"), _TABLE),
    (b"PGDMP", phrase("a dump of a PostgreSQL database"), _TABLE),
    (b"BZh", phrase("a bzip2 archive"), phrase("unpack it first, or compress with gzip")),
    (b"7z\xbc\xaf", phrase("a 7z archive"), phrase("unpack it first")),
    (b"Rar!", phrase("a rar archive"), phrase("unpack it first")),
    (b"\xfd7zXZ", phrase("an xz archive"), phrase("unpack it first, or compress with gzip")),
    (b"(\xb5/\xfd", phrase("a zstd archive"), phrase("unpack it first, or compress with gzip")),
)
_PAGES = (b"<!doctype html", b"<html", b"<table", b"<head", b"<body", b"<meta", b"<style", b"<script")
_SAVE_AS = phrase("open it in a spreadsheet program and save it as .xlsx, or as CSV UTF-8")
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
        return phrase("a web page (HTML), whatever its name says"), _SAVE_AS
    if text.startswith(b"<?xml") and (b'progid="excel.sheet"' in text or b"schemas-microsoft-com:office:spr" in text):
        return phrase("an XML spreadsheet of 2003"), _SAVE_AS
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
