"""Whether the scores still rank people as well as when the model was trained, by what became of their predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_SHARE: Final = 0.5
"""Ranking has decayed if the whole interval of a month's skill lies below this share of that on held-out time."""


def skill(average_precision: float, base_rate: float) -> float:
    """Average precision against the base rate: 0 for a random order, 1 for a perfect one, whatever the base rate."""
    return (average_precision - base_rate) / (1 - base_rate) if base_rate < 1 else 0.0


def ranking_signal(month: Mapping[str, Any], held_out: Mapping[str, Any], label: str) -> dict[str, Any] | None:
    """The signal about how a month was ranked: begun if certainly worse than on held-out time; None if not comparable.

    Args:
        month: ``average_precision`` and ``base_rate`` of the month, each with the bounds of its interval.
        held_out: the same of the model when it was trained.
        label: the month, as ISO text.
    """
    now, then = month.get("average_precision"), held_out.get("average_precision")
    if not now or not then or now["high"] is None or then["value"] is None:
        return None
    before = skill(then["value"], held_out["base_rate"]["value"])
    if before <= 0:
        return None
    high = skill(now["high"], month["base_rate"]["value"])
    facts = {"what": "ranking", "names": [label], "skill": round(before, 3), "highest": round(high, 3)}
    return {"subject": "ranking", "value": 1, "ended": high >= LEAST_SHARE * before, "facts": facts}
