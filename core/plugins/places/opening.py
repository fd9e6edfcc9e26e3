"""Opens the place that a plugin names."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, Protocol

from core.database import require_none
from core.plugins.filling import fill_text
from core.plugins.places.buckets import Bucket
from core.plugins.places.errors import as_place_errors
from core.plugins.places.folders import open_folder
from core.plugins.places.sftp import open_sftp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.plugins.usable_instances import UsableInstance
    from plugins.sdk import Entry, Location


class Place(Protocol):
    """A place that is open."""

    def entries(self, most: int) -> list[Entry]:
        """Return the files of the place, without those of folders in it.

        Raises:
            PlaceError: it cannot be read, or has more than ``most`` files.
        """
        ...

    def fetch(self, entry: Entry, into: BinaryIO, *, largest: int) -> None:
        """Write a file of the place.

        Raises:
            PlaceError: it cannot be fetched as a whole, has changed since it was listed, or is too large.
        """
        ...


@contextmanager
def open_place(opened: UsableInstance, location: Location) -> Iterator[Place]:
    """Open the place that an instance names, with the secrets of the instance.

    Raises:
        PlaceError: it cannot be opened.
        TransactionOpenError: a transaction is open.
    """
    require_none("a place of files was opened")
    with ExitStack() as stack:
        with as_place_errors():
            place = _open(stack, opened, location)
        yield _PlaceWithCodes(place)


class _PlaceWithCodes:
    """A place whose errors are all ``PlaceError``."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def entries(self, most: int) -> list[Entry]:
        with as_place_errors():
            return self._place.entries(most)

    def fetch(self, entry: Entry, into: BinaryIO, *, largest: int) -> None:
        with as_place_errors():
            self._place.fetch(entry, into, largest=largest)


def _open(stack: ExitStack, opened: UsableInstance, location: Location) -> Place:
    if location.kind == "folder":
        return stack.enter_context(open_folder(opened.tenant, location.address))
    options = {name: fill_text(value, opened.secrets) for name, value in location.options.items()}
    filled = replace(location, options=options)
    if location.kind == "s3":
        return Bucket(opened, filled)
    return stack.enter_context(open_sftp(opened, filled))
