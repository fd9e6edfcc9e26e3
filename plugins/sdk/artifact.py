"""Artifacts: fitted models as named files with a manifest of hashes. An artifact is data, never code or a pickle."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from plugins.sdk.json_types import Json

MANIFEST = "manifest.json"
MAX_FILES = 64
MAX_BYTES = 256 * 1024 * 1024
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}(\.[a-z0-9]{1,8}){0,2}", re.ASCII)
FORMAT = re.compile(r"[a-z0-9][a-z0-9._/-]{0,63}", re.ASCII)
# Pickle protocols 2 to 5, ELF, Python bytecode of 3.11 to 3.14, and compressions that hide what is inside.
CODE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"\x7fELF", b"\xa7\r\r\n", b"\xcb\r\r\n", b"\xf3\r\r\n")
HIDDEN = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"x\x9c", b"x\xda", b"x\x01")
OLD_PICKLE = re.compile(rb"\A(c[A-Za-z_][\w.]*\n[\w.]+\n|\(?[cdlpi]{0,2}(c__|cos\n|cposix\n|cbuiltins\n))")


class BadArtifactError(ValueError):
    """The artifact is not one that a plugin wrote: damaged, changed, of another format, or not plain data."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A fitted model: its format, with a version in the name (``iit-additive/1``), and its files by name.

    Create one with :func:`seal`, which adds the manifest. Call :func:`verify` before you read one.
    """

    format: str
    files: Mapping[str, bytes]

    @property
    def size(self) -> int:
        """Bytes in all files together."""
        return sum(len(content) for content in self.files.values())


def seal(format: str, files: Mapping[str, bytes]) -> Artifact:  # noqa: A002 - the artifact's own word
    """Create an artifact of these files, and add a manifest of their sizes and SHA-256 hashes.

    Raises:
        BadArtifactError: a name is not plain, a file holds code, or the whole is too large.
    """
    manifest = {
        "format": format,
        "files": {
            name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        },
    }
    sealed = {**files, MANIFEST: json.dumps(manifest, sort_keys=True).encode()}
    artifact = Artifact(format=format, files=sealed)
    verify(artifact, format)
    return artifact


def verify(artifact: Artifact, format: str | None = None) -> None:  # noqa: A002
    """Check that an artifact is exactly as it was sealed. Call this before you interpret any of its files.

    Args:
        artifact: the artifact to check.
        format: the only format that the caller reads; any format when absent.

    Raises:
        BadArtifactError: a file is wrong; the error names the file and the fault.
    """
    if format is not None and artifact.format != format:
        message = f"the artifact has format {artifact.format!r}, this plugin reads {format!r}"
        raise BadArtifactError(message)
    check_files(artifact)
    listed = _manifest(artifact)
    if set(listed) != set(artifact.files) - {MANIFEST}:
        message = "the manifest and the files of the artifact are not the same list"
        raise BadArtifactError(message)
    for name, entry in listed.items():
        content = artifact.files[name]
        expected = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        if entry != expected:
            message = f"file {name!r} of the artifact is not what was written: its size or SHA-256 differs"
            raise BadArtifactError(message)


def check_files(artifact: Artifact) -> None:
    """Check that names, sizes and contents of files are allowed in an artifact.

    Raises:
        BadArtifactError: a file is wrong; the error names the file and the fault.
    """
    if not FORMAT.fullmatch(str(artifact.format)):
        message = "the artifact's format must be a short lower-case name"
        raise BadArtifactError(message)
    if not 0 < len(artifact.files) <= MAX_FILES:
        message = f"an artifact has 1 to {MAX_FILES} files, not {len(artifact.files)}"
        raise BadArtifactError(message)
    files: Mapping[str, object] = dict(artifact.files)  # what a plugin gives need not be what it should be
    for name, content in files.items():
        if not NAME.fullmatch(str(name)):
            message = f"{str(name)[:80]!r} cannot be the name of a file in an artifact: use a-z, 0-9, - and _"
            raise BadArtifactError(message)
        if not isinstance(content, bytes):
            message = f"file {name!r} of the artifact must be bytes, not {type(content).__name__}"
            raise BadArtifactError(message)
    if artifact.size > MAX_BYTES:
        message = f"the artifact has {artifact.size} bytes, more than {MAX_BYTES}"
        raise BadArtifactError(message)
    for name, content in artifact.files.items():
        _reject_code(name, content)


def _manifest(artifact: Artifact) -> Mapping[str, Json]:
    try:
        manifest = json.loads(artifact.files[MANIFEST])
        stated, listed = manifest["format"], manifest["files"]
    except (KeyError, ValueError, TypeError) as error:
        message = "the artifact has no readable manifest"
        raise BadArtifactError(message) from error
    if stated != artifact.format or not isinstance(listed, dict):
        message = "the artifact's manifest is of another artifact"
        raise BadArtifactError(message)
    return listed


def _reject_code(name: str, content: bytes) -> None:
    if content.startswith(CODE) or OLD_PICKLE.match(content[:200]):
        message = f"file {name!r} of the artifact holds code or a pickle: write JSON, text or arrays without objects"
        raise BadArtifactError(message)
    if content.startswith(HIDDEN):
        message = f"file {name!r} of the artifact is compressed: write it plain, the platform compresses"
        raise BadArtifactError(message)
    if content.startswith(b"\x93NUMPY"):
        _reject_objects(name, content)
    if content.startswith(b"PK\x03\x04"):
        _reject_archive(name, content)


def _reject_objects(name: str, content: bytes) -> None:
    # The header of an .npy file is a literal that names its type; objects ('O') are pickled behind it.
    header = content[:4096].split(b"\n", 1)[0]
    if re.search(rb"'descr': *'?\|?O", header) or b"'|O" in header:
        message = f"array {name!r} of the artifact holds Python objects: use numbers"
        raise BadArtifactError(message)


def _reject_archive(name: str, content: bytes) -> None:
    """Reject a zip that contains anything but the .npy files of an .npz, or that expands to an excessive size."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            plain = all(entry.compress_type in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} for entry in entries)
            if not plain or len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > MAX_BYTES:
                message = (
                    f"archive {name!r} of the artifact is too large when unpacked, or not compressed as arrays are"
                )
                raise BadArtifactError(message)
            for entry in entries:
                with archive.open(entry) as member:
                    start = member.read(4096)
                if not start.startswith(b"\x93NUMPY"):
                    message = f"archive {name!r} of the artifact holds {entry.filename[:80]!r}, which is not an array"
                    raise BadArtifactError(message)
                _reject_objects(name, start)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        message = f"archive {name!r} of the artifact cannot be read"
        raise BadArtifactError(message) from error
