"""Merged patients in timelines: facts count, day by day, for whom the merges say (``tenants.records.identities``).

Contacts are derived with the merges in them already; profiles, bookings, states and observations are laid here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from tenants.cohort.columns import Columns, places
from tenants.cohort.timelines import NO_DAY, OPEN_DAY, day_number
from tenants.records.identities import laid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from tenants.records.identities import Identity

_PROFILE: Final = ("sex", "birth", "art_start", "transferred_in")


class Merged:
    """The merges that concern a chunk of patients.

    Attributes:
        outside: patients outside of the chunk whose facts count, some day, for one within.
    """

    def __init__(self, identities: Sequence[Identity], within: npt.NDArray[np.bytes_], zone: str) -> None:
        """``within``: the chunk's patients (``S16``, sorted); ``zone``: the tenant's, whose days count."""
        spans = sorted(laid(identities), key=lambda span: span.patient.bytes)
        sources = np.array([span.patient.bytes for span in spans], dtype="S16")
        self._sources, self._starts, self._counts = np.unique(sources, return_index=True, return_counts=True)
        self._counted = np.array([span.counted.bytes for span in spans], dtype="S16")
        self._since = np.array([_day(span.since, zone, NO_DAY) for span in spans], dtype=np.int32)
        self._until = np.array([_day(span.until, zone, OPEN_DAY) for span in spans], dtype=np.int32)
        inside = {bytes(uuid).ljust(16, b"\0") for uuid in within.tolist()}
        self.outside: list[UUID] = sorted(
            {each.patient for each in identities if each.canonical.bytes in inside and each.patient.bytes not in inside}
        )

    def __bool__(self) -> bool:
        """Whether anybody of the chunk is concerned."""
        return self._counted.size > 0

    def lay(self, found: Columns) -> Columns:
        """Rows of facts under whom they count for, cut to when they do (``patient``: ``S16``, days in int32)."""
        place = places(self._sources, found["patient"])
        touched = np.flatnonzero(place >= 0)
        if touched.size == 0:
            return found
        times = self._counts[place[touched]]
        row = np.repeat(touched, times)
        first = np.repeat(np.cumsum(times) - times, times)
        span = np.repeat(self._starts[place[touched]], times) + np.arange(row.size) - first
        rest = np.flatnonzero(place < 0)
        kept = np.concatenate((rest, row))
        columns = {name: column[kept] for name, column in found.items()}
        moved = slice(rest.size, None)
        columns["patient"][moved] = self._counted[span]
        columns["known_from"][moved] = np.maximum(columns["known_from"][moved], self._since[span])
        columns["known_to"][moved] = np.minimum(columns["known_to"][moved], self._until[span])
        return columns

    def profiles(self, found: Columns) -> Columns:
        """Who a merged person is: the canonical patient's own word, what it leaves open filled from the others.

        Start of ART is the earliest that any of them tells; transferred in is who came from elsewhere by all of them,
        since a move between two of them is none.
        """
        own = found["patient"].copy()
        rows = self.lay({**found, "origin": own})
        origin = rows.pop("origin")
        mixed = np.unique(rows["patient"][origin != rows["patient"]])
        if mixed.size == 0:
            return rows
        at = places(mixed, rows["patient"])
        made: dict[str, list[Any]] = {name: [] for name in rows}
        for number, patient in enumerate(mixed.tolist()):
            mine = np.flatnonzero((at == number) & (rows["known_to"] > rows["known_from"]))
            # The canonical one's own rows first, then the others in the order of their UUIDs.
            mine = mine[np.lexsort((origin[mine], origin[mine] != patient))]
            for since, until, one in _pieces(rows, mine):
                for name, value in {"patient": patient, "known_from": since, "known_to": until, **one}.items():
                    made[name].append(value)
        alone = at < 0
        return {
            name: np.concatenate((column[alone], np.array(made[name], dtype=column.dtype)))
            for name, column in rows.items()
        }


def _pieces(rows: Columns, mine: npt.NDArray[np.int64]) -> list[tuple[int, int, dict[str, Any]]]:
    """The spans of days over which the same of these rows hold, and what they make together."""
    starts, ends = rows["known_from"][mine], rows["known_to"][mine]
    cuts = np.unique(np.concatenate((starts, ends))).tolist()
    pieces: list[tuple[int, int, dict[str, Any]]] = []
    for since, until in pairwise(cuts):
        there = mine[(starts <= since) & (ends >= until)]
        if there.size == 0:
            continue
        told = {name: rows[name][there] for name in _PROFILE}
        begun = told["art_start"][told["art_start"] != NO_DAY]
        pieces.append(
            (
                since,
                until,
                {
                    "sex": _first(told["sex"], 0),
                    "birth": _first(told["birth"], NO_DAY),
                    "art_start": int(begun.min()) if begun.size else NO_DAY,
                    "transferred_in": bool(told["transferred_in"].all()),
                },
            )
        )
    return pieces


def _first(values: npt.NDArray[Any], missing: int) -> int:
    told = values[values != missing]
    return int(told[0]) if told.size else missing


def _day(moment: datetime | None, zone: str, missing: int) -> int:
    return missing if moment is None else day_number(moment.astimezone(UTC).astimezone(ZoneInfo(zone)).date())
