"""Put, open, delete and purge blobs in a folder or any store that fsspec supports.

A blob's path is ``<tenant id>/<last day or "keep">/<time-ordered id>-<label>``: a tenant's blobs share one prefix, and
``purge`` needs no list but the store's own. Call nothing here while a transaction is open, because the store may be
slow.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from core import clock
from core.blobs.errors import BlobDamaged
from core.blobs.guarded_store import GuardedStore
from core.blobs.sealed import SealedReader, write
from core.errors import FieldError, Invalid, NotFound
from core.settings import get_settings

if TYPE_CHECKING:
    from core.database import TenantRef

KEEP = "keep"
DAY = re.compile(r"\d{8}", re.ASCII)
KEY = re.compile(r"(keep|\d{8})/[0-9a-f]{32}-[a-z0-9][a-z0-9._-]{0,39}", re.ASCII)
UNSAFE = re.compile(r"[^a-z0-9._-]+", re.ASCII)
LABEL = 40
DRAFTS = "drafts"
MARK = "installation"
MARK_SECONDS = 5.0
"""Seconds during which a store that had the installation's mark is not checked again."""

DRAFT_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A row's reference to a blob.

    Attributes:
        key: the key for :func:`open`.
        size: bytes before encryption.
        sha256: of the bytes before encryption, hexadecimal.
    """

    key: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """The blobs that :func:`purge` removed."""

    days: int
    blobs: int
    stored_bytes: int


_marked: dict[str, float] = {}


def put(tenant: TenantRef, name: str, data: bytes | BinaryIO, *, expires_in_days: int | None = None) -> BlobRef:
    """Store bytes, encrypted with the tenant's key. A reader sees all of them or none.

    Args:
        tenant: the owner.
        name: the kind of file (``model.zip``, ``upload.csv``); never a person's name, because it stays readable.
        data: bytes, or a stream that is read to its end.
        expires_in_days: days after today (UTC) on which :func:`purge` may remove it; None stores it until it is
            deleted.

    Raises:
        Invalid: days below zero.
        BlobStoreForeign: this process uses another store than the rest of the installation.
    """
    if expires_in_days is not None and expires_in_days < 0:
        problem = "is below zero"
        raise Invalid(
            "a blob cannot expire in the past", errors=[FieldError("expires_in_days", problem, "give 0 or more")]
        )
    until = KEEP if expires_in_days is None else f"{_today() + timedelta(days=expires_in_days):%Y%m%d}"
    return _put(tenant, f"{until}/{_new_id()}-{_label(name)}", data)


def put_back(tenant: TenantRef, key: str, data: bytes | BinaryIO) -> BlobRef:
    """Store bytes under an existing key, because rows restored from an archive refer to it.

    Raises:
        NotFound: ``key`` does not have the form of a key.
    """
    return _put(tenant, key, data)


def permanent_keys(tenant: TenantRef) -> list[str]:
    """Return the sorted keys of the tenant's blobs that never expire."""
    filesystem, root = _root()
    folder = f"{root}/{tenant.id.hex}/{KEEP}"
    try:
        names = filesystem.ls(folder, detail=False)
    except FileNotFoundError:
        return []
    keys = (f"{KEEP}/{str(name).rstrip('/').rsplit('/', 1)[-1]}" for name in names)
    return sorted(key for key in keys if KEY.fullmatch(key))


def _put(tenant: TenantRef, key: str, data: bytes | BinaryIO) -> BlobRef:
    filesystem, path = _locate(tenant, key)
    require_shared_store()
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    with _whole(filesystem, path) as target:
        size, sha256 = write(source, target, _key_of(tenant), _bound_name(tenant, key))
    return BlobRef(key=key, size=size, sha256=sha256)


def open(tenant: TenantRef, key: str) -> BinaryIO:  # noqa: A001 - blobs.open, as files are opened
    """A blob as a stream. Every chunk is verified before it is returned.

    Raises:
        NotFound: the tenant has no such blob, or it was purged.
        BlobStoreForeign: it is missing, and this process uses another store than the installation.
        BlobDamaged: the stored bytes differ from what was written; also raised while the stream is read.
    """
    filesystem, path = _locate(tenant, key)
    try:
        stored = filesystem.open(path, "rb")
    except FileNotFoundError:
        require_shared_store(fresh=True)  # a store that is not mounted lacks everything, which is no fault of the file
        detail = "there is no such stored file"
        raise NotFound(detail, remedy="It may have expired: create or upload it again.") from None
    reader = SealedReader(cast("BinaryIO", stored), _key_of(tenant), _bound_name(tenant, key))
    return cast("BinaryIO", io.BufferedReader(reader, buffer_size=64 * 1024))


def get(tenant: TenantRef, key: str, *, sha256: str | None = None) -> bytes:
    """Return all bytes of a blob.

    Args:
        tenant: the owner.
        key: the key in its :class:`BlobRef`.
        sha256: the hash in the row that refers to it; verified unless None.

    Raises:
        NotFound: as :func:`open`.
        BlobDamaged: as :func:`open`, or the hash differs.
    """
    with open(tenant, key) as stream:
        content = stream.read()
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        detail = "the stored file differs from the hash that its row records"
        raise BlobDamaged(detail)
    return content


def exists(tenant: TenantRef, key: str) -> bool:
    """Return whether the tenant has this blob."""
    filesystem, path = _locate(tenant, key)
    return bool(filesystem.exists(path))


def is_key(text: str) -> bool:
    """Return whether a text could be a blob's key."""
    return bool(KEY.fullmatch(text)) and ".." not in text


def delete(tenant: TenantRef, key: str) -> None:
    """Remove a blob, if it exists."""
    filesystem, path = _locate(tenant, key)
    with contextlib.suppress(FileNotFoundError):
        filesystem.rm_file(path)


def delete_tenant(tenant: TenantRef) -> None:
    """Remove every blob of a departing tenant."""
    filesystem, root = _root()
    with contextlib.suppress(FileNotFoundError):
        filesystem.rm(f"{root}/{tenant.id.hex}", recursive=True)


def purge(tenant: TenantRef | None = None, *, today: date | None = None) -> PurgeResult:
    """Remove the blobs that expired before today.

    Args:
        tenant: only this tenant's; all tenants' when None.
        today: the day to count from; the clock's, in UTC, when None.
    """
    filesystem, root = _root()
    limit = f"{today or _today():%Y%m%d}"
    tenants = [f"{root}/{tenant.id.hex}"] if tenant else _folders(filesystem, root)
    days = blobs = stored = 0
    for folder in tenants:
        for day in _folders(filesystem, folder):
            label = day.rsplit("/", 1)[-1]
            if not DAY.fullmatch(label) or label >= limit:
                continue
            sizes = [int(entry["size"] or 0) for entry in filesystem.ls(day, detail=True)]
            filesystem.rm(day, recursive=True)
            days, blobs, stored = days + 1, blobs + len(sizes), stored + sum(sizes)
    if tenant is None and "file" in filesystem.protocol:
        _purge_drafts(root)
    return PurgeResult(days=days, blobs=blobs, stored_bytes=stored)


def require_shared_store(*, fresh: bool = False) -> None:
    """Raise if the store is not the installation's; the first store in use becomes it.

    Args:
        fresh: read the mark now, even if the store had it a moment ago.

    Raises:
        BlobStoreForeign: other processes use another store, or the place is not mounted.
    """
    from core.installation.blob_store import compare

    _, root = _root()
    if not fresh and _marked.get(root, 0.0) > time.monotonic():
        return
    compare(read_mark, write_mark)
    _marked[root] = time.monotonic() + MARK_SECONDS


def verify_store() -> None:
    """Raise if the store is not the installation's, without creating anything: an unused store belongs to nobody yet.

    Raises:
        BlobStoreForeign: as ``require_shared_store``.
    """
    from core.installation.blob_store import compare

    compare(read_mark, None)


def read_mark() -> str | None:
    """Return the text of the store's mark; None if it has none."""
    filesystem, root = _root()
    try:
        return str(filesystem.cat_file(f"{root}/{MARK}").decode("ascii", "replace")).strip()
    except FileNotFoundError:
        return None


def write_mark(mark: str) -> None:
    """Mark the store."""
    filesystem, root = _root()
    if "file" in filesystem.protocol:
        draft = Path(root, f".{MARK}.{mark}")
        draft.write_text(f"{mark}\n", encoding="ascii")
        draft.replace(Path(root, MARK))
    else:
        filesystem.pipe_file(f"{root}/{MARK}", f"{mark}\n".encode())


def stored_bytes(tenant: TenantRef) -> int:
    """The bytes that the tenant's blobs take in the store."""
    filesystem, root = _root()
    files = filesystem.find(f"{root}/{tenant.id.hex}", detail=True)
    return sum(int(entry["size"] or 0) for entry in files.values())


def local_folder() -> Path | None:
    """Return the folder of the blobs; None if the store is not a folder of this machine."""
    filesystem, root = _root()
    return Path(root) if "file" in filesystem.protocol else None


def _folders(filesystem: Any, path: str) -> list[str]:  # noqa: ANN401 - fsspec has no types
    try:
        entries = filesystem.ls(path, detail=True)
    except FileNotFoundError:
        return []
    return [str(entry["name"]).rstrip("/") for entry in entries if entry["type"] == "directory"]


def _locate(tenant: TenantRef, key: str) -> tuple[Any, str]:
    if not is_key(key):
        detail = "there is no such stored file"
        raise NotFound(detail, remedy="Use the key that was given when it was stored.")
    filesystem, root = _root()
    return filesystem, f"{root}/{tenant.id.hex}/{key}"


def _root() -> tuple[Any, str]:
    settings = get_settings()
    return _filesystem(settings.blob_url or (settings.state_dir / "blobs").as_uri())


@lru_cache(maxsize=4)
def _filesystem(url: str) -> tuple[Any, str]:
    import fsspec

    filesystem, root = fsspec.core.url_to_fs(url)
    if "file" in filesystem.protocol:
        os.makedirs(root, mode=0o700, exist_ok=True)  # noqa: PTH103 - a path of fsspec's making
        return filesystem, str(root).rstrip("/")
    return GuardedStore(filesystem), str(root).rstrip("/")


def _bound_name(tenant: TenantRef, key: str) -> str:
    return f"{tenant.id}|{key}"


def _key_of(tenant: TenantRef) -> bytes:
    from core.privacy import derived_key

    return derived_key(tenant, "blobs")


@contextlib.contextmanager
def _whole(filesystem: Any, path: str) -> Iterator[BinaryIO]:  # noqa: ANN401
    """Write a file that appears under its path completely or not at all."""
    filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    if "file" in filesystem.protocol:
        with _whole_on_disk(Path(path)) as target:
            yield target
        return
    # Object stores show an object when its upload ends, and drop it when it is discarded.
    target = filesystem.open(path, "wb", autocommit=False)
    try:
        yield cast("BinaryIO", target)
        target.close()
        target.commit()
    except BaseException:
        with contextlib.suppress(OSError):
            target.discard()
            filesystem.rm_file(path)
        raise


@contextlib.contextmanager
def _whole_on_disk(path: Path) -> Iterator[BinaryIO]:
    """Write beside the place on the same disk, flush, and rename; a row may refer to the file from then on."""
    drafts = path.parents[2] / DRAFTS
    drafts.mkdir(mode=0o700, exist_ok=True)
    draft = drafts / path.name
    try:
        with draft.open("xb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _purge_drafts(root: str) -> None:
    """Remove drafts that a killed process left more than a day ago."""
    for draft in Path(root, DRAFTS).glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - draft.stat().st_mtime > DRAFT_SECONDS:
                draft.unlink()


def _label(name: str) -> str:
    plain = UNSAFE.sub("-", name.lower()).strip("-._")[-LABEL:].lstrip("-._")
    return plain.replace("..", ".") or "blob"


def _today() -> date:
    return clock.now().date()


def _new_id() -> str:
    import uuid_utils

    return str(uuid_utils.uuid7().hex)
