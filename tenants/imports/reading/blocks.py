"""Blocks of rows, which readers return and the stager takes: readings of single rows, and columns of events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from core.privacy import BlindIndexes
    from tenants.imports.facts import FacilityFact, Reading


@dataclass(frozen=True, slots=True)
class PortionLimits:
    """The limits of a block of rows.

    Attributes:
        rows: rows that are read one by one.
        facts: number of facts that ends a block earlier: a row may be a person with a whole history.
        block: rows that are read as columns.
    """

    rows: int
    facts: int
    block: int


class RecordNames(NamedTuple):
    """The kind of some events, and what the source calls the patient's identifier and the day."""

    kind: str
    patient_label: str
    label: str


@dataclass(slots=True)
class Events:
    """Events of one kind, column by column; each comes from a row of a file.

    Attributes:
        file: number of the file of the rows.
        rows: places of the rows in the block.
        lines: lines of the rows.
        patients: the source's identifiers of the patients.
        keys: the facts' keys.
        blind: the blind indexes of the keys, after ``make_blind``, which deletes ``keys``.
        fingerprint_parts: the content of the fingerprints, without the patients.
        days: the days of the events, in COPY's binary format.
        stamps: the times from which the events are known, in COPY's binary format; None if the rows have no stamps.
        content: the other fields of the events, in COPY's binary format.
        facilities: the DATIM id of each event's facility; None for an event at its patient's facility. The whole list
            is None if all events are at their patients' facilities.
        named: each facility that the rows name: place and line of the first such row, and the facility as a fact.
        voided: whether the source has voided the events.
        facility_name: the facility's name in the rows, folded, if they give no DATIM id.
    """

    record: RecordNames
    file: int
    rows: Sequence[int]
    lines: Sequence[int]
    patients: list[str]
    keys: list[str]
    fingerprint_parts: list[bytes]
    days: list[bytes]
    stamps: list[bytes] | None
    content: list[bytes]
    facilities: list[str | None] | None
    named: list[tuple[int, int, FacilityFact]] = field(default_factory=list)
    blind: list[bytes] = field(default_factory=list)
    voided: bool = False
    facility_name: str | None = None

    def make_blind(self, maker: BlindIndexes) -> None:
        """Make the blind indexes of the keys."""
        if self.keys:
            self.blind, self.keys = maker.of(f"source:{self.record.kind}", self.keys), []


@dataclass(slots=True)
class Block:
    """Consecutive rows.

    Attributes:
        file: number of the file of the last row; ``last`` is its line.
        readings: rows that are read one by one, by their place in the block.
        events: the facts of the other rows, record by record.
        by_column: number of rows of the events.
        left_out: number of the other rows that the mapping leaves out.
    """

    file: int
    last: int
    readings: list[tuple[int, Reading]] = field(default_factory=list)
    events: list[Events] = field(default_factory=list)
    by_column: int = 0
    left_out: int = 0

    def __len__(self) -> int:
        """The number of its rows."""
        return len(self.readings) + self.by_column + self.left_out


def chunks(readings: Iterable[Reading], limits: PortionLimits) -> Iterator[Block]:
    """Blocks of rows that were read one by one, within the limits of rows and facts."""
    chunk: list[Reading] = []
    facts = 0
    for reading in readings:
        chunk.append(reading)
        facts += len(reading.facts)
        if len(chunk) >= limits.rows or facts >= limits.facts:
            yield _block(chunk)
            chunk, facts = [], 0
    if chunk:
        yield _block(chunk)


def _block(readings: list[Reading]) -> Block:
    return Block(readings[-1].file, readings[-1].line, list(enumerate(readings)))
