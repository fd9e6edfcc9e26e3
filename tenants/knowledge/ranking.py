"""One order from two: by words and by meaning."""

from __future__ import annotations

from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    Scored = Sequence[tuple[str, float]]

WORDS_WEIGHT: Final = 1.5
"""What the best match by words counts, in standard deviations of nearness."""


def blended(by_words: Scored, by_meaning: Scored, *, words_weight: float = WORDS_WEIGHT) -> list[tuple[str, float]]:
    """Return what stands in either order, best first, with one score.

    Nearness counts in standard deviations from its mean over what was found; the score by words as a share of the best.
    What one order lacks counts there as its last. Scores decide, as ranks alone forget by how far the first is ahead.

    Args:
        by_words: ids and scores of BM25, best first.
        by_meaning: ids and cosine similarities, best first.
        words_weight: how much words count over meaning.
    """
    nearness = [score for _, score in by_meaning]
    mean, spread = (fmean(nearness), pstdev(nearness) or 1.0) if nearness else (0.0, 1.0)
    near = {key: (score - mean) / spread for key, score in by_meaning}
    last = min(near.values(), default=0.0)
    best = max((score for _, score in by_words), default=1.0)
    words = {key: score / best for key, score in by_words}
    scores = {key: near.get(key, last) + words_weight * words.get(key, 0.0) for key in {**near, **words}}
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
