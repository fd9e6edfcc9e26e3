"""Which files of a place are imported: those whose name fits, the oldest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from plugins.sdk import Entry, Json

SETTINGS: Mapping[str, Json] = {
    "pattern": {
        "type": "string",
        "title": "Names of files",
        "description": "Such as *.csv or pharmacy-*.xlsx. Small and capital letters are the same.",
        "default": "*",
        "minLength": 1,
        "maxLength": 200,
    },
    "format": {
        "type": "string",
        "title": "Format",
        "description": "Name of an import format; empty to detect it.",
        "maxLength": 60,
    },
}
"""Settings that every importer has."""

_FIRST = datetime.min.replace(tzinfo=UTC)


def fitting(entries: Sequence[Entry], settings: Mapping[str, Json], path_of: Callable[[str], str] = str) -> list[Entry]:
    """Return the files whose name, without folders, fits the pattern, the oldest first.

    Left out are empty and hidden files, and those that somebody is still writing by their name.

    Args:
        entries: of the place.
        settings: of the importer.
        path_of: the path of a file by the name of its entry.
    """
    pattern = str(settings.get("pattern", "*")).lower()

    def fits(entry: Entry) -> bool:
        return entry.size != 0 and _fits(path_of(entry.name).rpartition("/")[2].lower(), pattern)

    return sorted(filter(fits, entries), key=lambda entry: (entry.modified_at or _FIRST, entry.name))


def _fits(name: str, pattern: str) -> bool:
    return (
        bool(name)
        and not name.startswith((".", "~"))
        and not name.endswith((".part", ".tmp", ".filepart", ".crdownload"))
        and fnmatchcase(name, pattern)
    )
