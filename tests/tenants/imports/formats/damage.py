"""Ways in which files are damaged: bytes that flip, files cut off, cells swapped, garbage between good rows."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from random import Random

from tenants.imports.reading.workbook import DAMAGE

GARBAGE = (
    b"", b"\x00", b"\xff\xfe", b'"', b"\r\n\r\n", b",,,,,,,,", b"<!DOCTYPE x>", b"{", b"]", b"&amp;", b"\x1f", b"\xc3",
    b"=1+1", b"1e999", b"-99999999999999999999", b"31/02/2024", b"03/04/2024", b"0001-01-01", b"9999-12-31", b"NaN",
    "\u202e\ud7ff".encode(), b"'; DROP TABLE patients; --", b"A" * 5000,
)  # fmt: skip

Damage = Callable[[bytes, Random], bytes]


def flip(data: bytes, by: Random) -> bytes:
    """Change a few bytes."""
    content = bytearray(data)
    for _ in range(by.randint(1, 4)):
        if content:
            content[by.randrange(len(content))] = by.randrange(256)
    return bytes(content)


def cut(data: bytes, by: Random) -> bytes:
    """Cut the file off."""
    return data[: by.randrange(len(data) + 1)]


def insert(data: bytes, by: Random) -> bytes:
    """Insert garbage somewhere."""
    at = by.randrange(len(data) + 1)
    return data[:at] + by.choice(GARBAGE) + data[at:]


def swap(data: bytes, by: Random) -> bytes:
    """Swap two cells, tags or words of the text."""
    separator = by.choice([b",", b"\n", b">", b'"', b"<"])
    parts = data.split(separator)
    if len(parts) > 2:
        one, other = by.randrange(len(parts)), by.randrange(len(parts))
        parts[one], parts[other] = parts[other], parts[one]
    return separator.join(parts)


def replace(data: bytes, by: Random) -> bytes:
    """Replace a cell, tag or word of the text."""
    separator = by.choice([b",", b">", b'"'])
    parts = data.split(separator)
    parts[by.randrange(len(parts))] = by.choice(GARBAGE)
    return separator.join(parts)


def repeat(data: bytes, by: Random) -> bytes:
    """Repeat lines."""
    lines = data.split(b"\n")
    at = by.randrange(len(lines))
    return b"\n".join([*lines, *lines[at : at + by.randint(1, 3)]])


PLAIN: tuple[Damage, ...] = (flip, cut, insert, swap, replace, repeat)


def damaged(data: bytes, by: Random) -> bytes:
    """A file with one or two kinds of damage; a member of an archive may be damaged while the archive is valid."""
    for _ in range(by.randint(1, 2)):
        harm = by.choice(PLAIN)
        inside = data.startswith(b"PK\x03\x04") and by.random() < 0.8
        data = _inside(data, harm, by) if inside else harm(data, by)
    return data


def _inside(data: bytes, harm: Damage, by: Random) -> bytes:
    """The archive repacked with one of its members damaged; members that hold cells are damaged more often."""
    buffer = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as original:
            parts = {info.filename: original.read(info) for info in original.infolist()}
    except DAMAGE:
        return harm(data, by)
    names = [name for name in parts if "sheet" in name or "sharedStrings" in name or not name.startswith("xl/")]
    chosen = by.choice(names or list(parts))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, part in parts.items():
            packed.writestr(name, harm(part, by) if name == chosen else part)
    return buffer.getvalue()
