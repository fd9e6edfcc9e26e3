"""The reader interface: a format is a ``Reader`` registered here, found by name or by looking at the files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from core.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tenants.imports.facts import Reading
    from tenants.imports.mapping import Mapping
    from tenants.imports.sources import Head, Source

CERTAIN = 1.0
LIKELY = 0.8
NO = 0.0


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading stands: rows of ``file`` up to and with ``line`` have been taken, and all files before it."""

    file: int = 0
    line: int = 0


class Reader(Protocol):
    """One format.

    Attributes:
        name: as ``--format`` takes it.
        description: one line for the list of formats.
        mapping_needed: whether the format says nothing by itself and a mapping must.
    """

    name: str
    description: str
    mapping_needed: bool

    def detect(self, head: Head) -> float:
        """Confidence in 0..1 that the file is of this format, from its name and first kilobytes."""
        ...

    def data_date(self, sources: Sequence[Source], mapping: Mapping) -> date | None:
        """The date to which the files' data run, where files and mapping say it."""
        ...

    def read(self, sources: Sequence[Source], mapping: Mapping, *, after: Position | None = None) -> Iterator[Reading]:
        """One ``Reading`` per row in a fixed order, streamed; with ``after``, those that follow it.

        Raises:
            Invalid: a file cannot be read at all, or lacks a column that the mapping names.
        """
        ...


READERS: dict[str, str] = {
    "csv": "tenants.imports.generic:GenericCsv",
    "lamisplus-pharmacy": "tenants.imports.lamisplus:PharmacyList",
}
"""Formats by name; each value is ``"module:attribute"`` and loaded when it is used."""


@cache
def reader(name: str) -> Reader:
    """The reader of a format.

    Raises:
        Invalid: there is no such format.
    """
    if name not in READERS:
        known = ", ".join(READERS)
        message = f"there is no import format {name!r}"
        raise Invalid(message, errors=[FieldError("format", "unknown format", f"give one of: {known}")])
    module, _, attribute = READERS[name].partition(":")
    loaded: Reader = getattr(import_module(module), attribute)()
    return loaded


def detect(sources: Sequence[Source]) -> Reader:
    """The format that all the files agree on.

    Raises:
        Invalid: no reader recognises them, or they are of several formats.
    """
    found: dict[str, list[str]] = {}
    for source in sources:
        head = source.head()
        scores = {name: reader(name).detect(head) for name in READERS}
        best = max(scores, key=lambda name: scores[name])
        if scores[best] == NO:
            message = f"the format of {source.name} is not recognised"
            remedy = f"name it with --format (one of: {', '.join(READERS)}), or give a CSV or xlsx file"
            raise Invalid(message, remedy=remedy, errors=[FieldError("format", "not recognised", remedy)])
        found.setdefault(best, []).append(source.name)
    if len(found) > 1:
        listed = "; ".join(f"{name}: {', '.join(files)}" for name, files in found.items())
        message = f"the files are of several formats ({listed})"
        raise Invalid(message, remedy="import each format by itself, or name one with --format")
    return reader(next(iter(found)))
