"""One order from two: by words and by meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    T = TypeVar("T", bound=Hashable)

RANK_OFFSET: Final = 60
"""The k of reciprocal rank fusion, as in Cormack, Clarke and Büttcher, SIGIR 2009."""


def fused(orders: Sequence[tuple[float, Sequence[T]]], *, offset: int = RANK_OFFSET) -> list[tuple[T, float]]:
    """Return what stands in any order, best first, with its score: the sum of ``weight / (offset + rank)``.

    Args:
        orders: each with its weight, best first.
        offset: how little the first ranks count over the next.
    """
    scores: dict[T, float] = {}
    for weight, order in orders:
        for rank, item in enumerate(order, 1):
            scores[item] = scores.get(item, 0.0) + weight / (offset + rank)
    return _descending(scores)


def _descending(scores: Mapping[T, float]) -> list[tuple[T, float]]:
    return sorted(scores.items(), key=lambda item: -item[1])
