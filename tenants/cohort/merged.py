"""Merged patients in timelines: on each day, a fact counts for the patient whom ``tenants.records.identities`` names.

The table of contacts follows merges already; this module moves profiles, bookings, states and observations.
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


class Merges:
    """The merges that concern a chunk of patients.

    Attributes:
        outside: patients outside the chunk whose facts count, on some day, for a patient within it.
    """

    def __init__(self, identities: Sequence[Identity], within: npt.NDArray[np.bytes_], zone: str) -> None:
        """``within``: the chunk's patients (``S16``, sorted); ``zone``: the tenant's time zone, whose days count."""
        spans = sorted(laid(identities), key=lambda span: span.patient.bytes)
        sources = np.array([span.patient.bytes for span in spans], dtype="S16")
        self._sources, self._starts, self._counts = np.unique(sources, return_index=True, return_counts=True)
        self._canonical = np.array([span.counted.bytes for span in spans], dtype="S16")
        self._since = np.array([_day(span.since, zone, NO_DAY) for span in spans], dtype=np.int32)
        self._until = np.array([_day(span.until, zone, OPEN_DAY) for span in spans], dtype=np.int32)
        inside = {bytes(uuid).ljust(16, b"\0") for uuid in within.tolist()}
        self.outside: list[UUID] = sorted(
            {each.patient for each in identities if each.canonical.bytes in inside and each.patient.bytes not in inside}
        )

    def __bool__(self) -> bool:
        """Whether a merge concerns any patient of the chunk."""
        return self._canonical.size > 0

    def lay(self, facts: Columns) -> Columns:
        """Return the facts, each with the patient for whom it counts, and known only on the days on which it does."""
        place = places(self._sources, facts["patient"])
        of_merged = np.flatnonzero(place >= 0)
        if of_merged.size == 0:
            return facts
        times = self._counts[place[of_merged]]
        row = np.repeat(of_merged, times)
        first = np.repeat(np.cumsum(times) - times, times)
        span = np.repeat(self._starts[place[of_merged]], times) + np.arange(row.size) - first
        of_others = np.flatnonzero(place < 0)
        rows = np.concatenate((of_others, row))
        columns = {name: column[rows] for name, column in facts.items()}
        merged_part = slice(of_others.size, None)
        columns["patient"][merged_part] = self._canonical[span]
        columns["known_from"][merged_part] = np.maximum(columns["known_from"][merged_part], self._since[span])
        columns["known_to"][merged_part] = np.minimum(columns["known_to"][merged_part], self._until[span])
        return columns

    def profiles(self, facts: Columns) -> Columns:
        """Profiles of merged people: the canonical patient's own values, with gaps filled from the others.

        The start of ART is the earliest that any record has. A merged person is transferred in only if all records say
        so, since a move between two of them is not a transfer.
        """
        own = facts["patient"].copy()
        rows = self.lay({**facts, "origin": own})
        origin = rows.pop("origin")
        mixed = np.unique(rows["patient"][origin != rows["patient"]])
        if mixed.size == 0:
            return rows
        at = places(mixed, rows["patient"])
        result: dict[str, list[Any]] = {name: [] for name in rows}
        for number, patient in enumerate(mixed.tolist()):
            mine = np.flatnonzero((at == number) & (rows["known_to"] > rows["known_from"]))
            # The canonical patient's own rows come first, then the others in the order of their UUIDs.
            mine = mine[np.lexsort((origin[mine], origin[mine] != patient))]
            for since, until, profile in _pieces(rows, mine):
                for name, value in {"patient": patient, "known_from": since, "known_to": until, **profile}.items():
                    result[name].append(value)
        alone = at < 0
        return {
            name: np.concatenate((column[alone], np.array(result[name], dtype=column.dtype)))
            for name, column in rows.items()
        }


def _pieces(rows: Columns, mine: npt.NDArray[np.int64]) -> list[tuple[int, int, dict[str, Any]]]:
    """Spans of days over which the same rows are valid, with the values that these rows give together."""
    starts, ends = rows["known_from"][mine], rows["known_to"][mine]
    cuts = np.unique(np.concatenate((starts, ends))).tolist()
    pieces: list[tuple[int, int, dict[str, Any]]] = []
    for since, until in pairwise(cuts):
        rows_of_span = mine[(starts <= since) & (ends >= until)]
        if rows_of_span.size == 0:
            continue
        values = {name: rows[name][rows_of_span] for name in _PROFILE}
        starts_of_art = values["art_start"][values["art_start"] != NO_DAY]
        pieces.append(
            (
                since,
                until,
                {
                    "sex": _first(values["sex"], 0),
                    "birth": _first(values["birth"], NO_DAY),
                    "art_start": int(starts_of_art.min()) if starts_of_art.size else NO_DAY,
                    "transferred_in": bool(values["transferred_in"].all()),
                },
            )
        )
    return pieces


def _first(values: npt.NDArray[Any], missing: int) -> int:
    recorded = values[values != missing]
    return int(recorded[0]) if recorded.size else missing


def _day(moment: datetime | None, zone: str, missing: int) -> int:
    return missing if moment is None else day_number(moment.astimezone(UTC).astimezone(ZoneInfo(zone)).date())
