"""Artifacts as zip files with a list of contents, which is verified before anything is interpreted."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from typing import Any

from core.plugins.errors import ArtifactRejected
from plugins.sdk import Artifact, BadArtifactError, verify
from plugins.sdk.artifact import MAX_BYTES, MAX_FILES

LISTING = "artifact.json"
VERSION = 1
MAX_LISTING = 64 * 1024
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every entry, so that equal artifacts give equal bytes."""
ENCRYPTED = 0x1
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    KeyError,
)
"""Errors that a damaged or hostile zip causes."""


def pack(artifact: Artifact) -> bytes:
    """The artifact as bytes; the same artifact gives the same bytes.

    Raises:
        ArtifactRejected: it is not a sealed artifact of plain data.
    """
    try:
        verify(artifact)
    except BadArtifactError as error:
        raise ArtifactRejected(str(error)) from error
    listing = {
        "version": VERSION,
        "format": artifact.format,
        "files": {name: _entry(content) for name, content in sorted(artifact.files.items())},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in ((LISTING, json.dumps(listing, sort_keys=True).encode()), *sorted(artifact.files.items())):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unpack(data: bytes) -> Artifact:
    """The artifact that :func:`pack` wrote. Writes nothing to disk, and unpacks no more than the list allows.

    Raises:
        ArtifactRejected: not a zip, names that point elsewhere, a bomb, or another hash.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(archive)
    except BadArtifactError as error:
        raise ArtifactRejected(str(error)) from error
    except UNREADABLE as error:
        detail = "the stored model is not an archive of a model"
        raise ArtifactRejected(detail) from error


def _entry(content: bytes) -> dict[str, Any]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _read(archive: zipfile.ZipFile) -> Artifact:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if len(entries) > MAX_FILES + 1 or len(set(names)) != len(names) or LISTING not in names:
        detail = "the stored model has no list of its files, or not the files of its list"
        raise ArtifactRejected(detail)
    if sum(entry.file_size for entry in entries) > MAX_BYTES + MAX_LISTING:
        detail = f"the stored model is larger than {MAX_BYTES} bytes when unpacked"
        raise ArtifactRejected(detail)
    if any(entry.flag_bits & ENCRYPTED or entry.is_dir() or entry.compress_type not in METHODS for entry in entries):
        detail = "the stored model holds folders, or files that are encrypted or compressed in another way"
        raise ArtifactRejected(detail)
    listing = json.loads(_bounded(archive, LISTING, MAX_LISTING))
    if not isinstance(listing, dict) or listing.get("version") != VERSION or not isinstance(listing.get("files"), dict):
        detail = "the list of the stored model's files is of another version"
        raise ArtifactRejected(detail)
    listed = listing["files"]
    if set(listed) != set(names) - {LISTING}:
        detail = "the stored model has no list of its files, or not the files of its list"
        raise ArtifactRejected(detail)
    files = {}
    for name, entry in listed.items():
        size = entry.get("size") if isinstance(entry, dict) else None
        if not isinstance(size, int) or not 0 <= size <= MAX_BYTES:
            detail = f"the list of the stored model's files gives no size for {name[:80]!r}"
            raise ArtifactRejected(detail)
        files[name] = _bounded(archive, name, size)
        if _entry(files[name]) != entry:
            detail = f"file {name[:80]!r} of the stored model is not what was written: its size or SHA-256 differs"
            raise ArtifactRejected(detail)
    artifact = Artifact(format=str(listing.get("format")), files=files)
    verify(artifact)
    return artifact


def _bounded(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Return the content of an entry, unpacked up to the limit whatever size the archive claims."""
    with archive.open(name) as member:
        content = member.read(limit + 1)
    if len(content) > limit:
        detail = f"file {name[:80]!r} of the stored model is larger than it claims"
        raise ArtifactRejected(detail)
    return content
