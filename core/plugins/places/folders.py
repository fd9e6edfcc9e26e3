"""Folders of the server, below those that the operator allows."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Final

from core.plugins.places.errors import PlaceError
from core.settings import get_settings
from plugins.sdk import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.database import TenantRef

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PIECE: Final = 1 << 20


@contextmanager
def open_folder(tenant: TenantRef, address: str) -> Iterator[Folder]:
    """Open a folder of a tenant: one of ``IIT_IMPORT_FOLDERS``, in it the folder with the tenant's name, or below it.

    No link is followed below the operator's folder: a link could lead to another tenant's files.

    Raises:
        PlaceError: the folder is not allowed, or is not there.
    """
    root, parts = _split(tenant, address)
    with ExitStack() as stack:
        try:
            descriptor = os.open(root, _FOLDER)
            stack.callback(os.close, descriptor)
            for part in parts:
                descriptor = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                stack.callback(os.close, descriptor)
        except OSError as error:
            raise _as_place_error(error) from error
        yield Folder(descriptor)


@dataclass(frozen=True, slots=True)
class Folder:
    """An open folder."""

    descriptor: int

    def entries(self, most: int) -> list[Entry]:
        """Return the regular files of the folder, none of which is a link.

        Raises:
            PlaceError: there are more than ``most``.
        """
        entries = []
        with os.scandir(self.descriptor) as listing:
            for each in listing:
                facts = each.stat(follow_symlinks=False)
                if stat.S_ISREG(facts.st_mode) and _is_text(each.name):
                    entries.append(_entry(each.name, facts))
                if len(entries) > most:
                    raise PlaceError("too_many_files")
        return entries

    def fetch(self, entry: Entry, into: BinaryIO, *, largest: int) -> None:
        """Write a file of the folder.

        Raises:
            PlaceError: it is gone, has changed, or is too large.
        """
        if "/" in entry.name:
            raise PlaceError("not_found")
        try:
            descriptor = os.open(entry.name, _FILE, dir_fd=self.descriptor)
        except OSError as error:
            raise _as_place_error(error) from error
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or _entry(entry.name, facts) != entry:
                raise PlaceError("changed")
            if facts.st_size > largest:
                raise PlaceError("too_large")
            left = facts.st_size
            while left and (piece := file.read(min(left, _PIECE))):
                left -= into.write(piece)
            if left or _entry(entry.name, os.fstat(descriptor)) != entry:
                raise PlaceError("changed")


def _split(tenant: TenantRef, address: str) -> tuple[PurePosixPath, tuple[str, ...]]:
    """Return the operator's folder, and the parts of the path in it, of which the first is the tenant's name."""
    path = PurePosixPath(address)
    if path.is_absolute() and ".." not in path.parts and "\0" not in address:
        for root in (PurePosixPath(each.strip()) for each in get_settings().import_folders.split(",") if each.strip()):
            if root.is_absolute() and path.is_relative_to(root) and path.relative_to(root).parts[:1] == (tenant.slug,):
                return root, path.relative_to(root).parts
    raise PlaceError("folder_not_allowed")


def _entry(name: str, facts: os.stat_result) -> Entry:
    return Entry(name, facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC))


def _is_text(name: str) -> bool:
    """Return whether the name of a file is UTF-8: another one cannot be stored or shown."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_place_error(error: OSError) -> PlaceError:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return PlaceError("folder_not_allowed")
    return PlaceError("access_denied" if error.errno in (errno.EACCES, errno.EPERM) else "not_found")
