"""Terms of a comparison, as a model's row has them: kind, beginning, rules of its end, and the result.

``shadow``: the model scores beside the champion. ``ab``: it serves the facilities that chance gave it. ``canary``: it
is the new champion, and the former one scores beside it.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from core.clock import now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

RUNNING: Final = "running"
Trial = dict[str, Any]


def shadow(champion: UUID, version: str, started_by: str) -> Trial:
    """The terms of a comparison at no effect."""
    return {**_begun("shadow", champion, version), "started_by": started_by}


def canary(former: UUID, version: str, day: date, days: int) -> Trial:
    """The terms under which a new champion is watched."""
    return {**_begun("canary", former, version), "until": (day + timedelta(days=days)).isoformat()}


def serving_share(
    champion: UUID, version: str, started_by: str, facilities: Sequence[UUID], stated: Mapping[str, Any]
) -> Trial:
    """The terms of a comparison in which the model serves these facilities; ``stated`` is said before it begins."""
    return {
        **_begun("ab", champion, version),
        "started_by": started_by,
        "facilities": sorted(map(str, facilities)),
        **stated,
    }


def ended(trial: Mapping[str, Any] | None, result: str) -> Trial | None:
    """The trial with its end, unless it has ended already."""
    if not trial or trial.get("state") != RUNNING:
        return dict(trial) if trial else None
    return {**trial, "state": "ended", "result": result, "ended_at": now().isoformat(timespec="seconds")}


def is_running(trial: Mapping[str, Any] | None, kind: str | None = None) -> bool:
    """Whether a trial, of this kind if one is given, runs."""
    return bool(trial) and trial["state"] == RUNNING and kind in (None, trial["kind"])  # type: ignore[index]


def drawn(facilities: Sequence[tuple[UUID, int]], share: float, seed: int) -> list[UUID]:
    """Draw the facilities that the challenger serves: one of each few of about the same size.

    Args:
        facilities: each with the number of its patients.
        share: about the share of facilities, up to one half.
        seed: the same seed, facilities and share give the same draw.
    """
    block = max(2, round(1 / share))
    by_size = sorted(facilities, key=lambda each: (-each[1], each[0]))
    chosen = []
    for start in range(0, len(by_size), block):
        members = [uuid for uuid, _ in by_size[start : start + block]]
        # The last block may be short: it has a place for the absent ones too, so that every chance is the same.
        places: list[UUID | None] = [*members, *[None] * (block - len(members))]
        first = min(range(block), key=lambda place: _order(seed, start, place, places[place]))
        if (winner := places[first]) is not None:
            chosen.append(winner)
    return chosen


def _order(seed: int, start: int, place: int, uuid: UUID | None) -> bytes:
    text = f"{seed}|{uuid if uuid is not None else f'none {start} {place}'}"
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _begun(kind: str, other: UUID, version: str) -> Trial:
    return {
        "kind": kind,
        "state": RUNNING,
        "result": None,
        "started_at": now().isoformat(timespec="seconds"),
        "other": str(other),
        "other_version": version,
        "figures": None,
        "looks": [],
    }
