"""The labels that groups of indicators can have, and the nearest one to a label that cannot occur."""

from __future__ import annotations

import re
from bisect import bisect_right
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from tenants.cohort.calendar import AGE_BANDS, NOT_RECORDED, TIME_BANDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tenants.cohort.schemas import Dimension

_SEXES: Final = ("F", "M")
_AGE_STARTS: Final = (0, 1, *range(5, 70, 5))
LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "sex": (*_SEXES, NOT_RECORDED),
    "age": (*AGE_BANDS, NOT_RECORDED),
    "time_on_art": (*TIME_BANDS, NOT_RECORDED),
}
"""Labels by dimension, without those of facilities."""
_NUMBER: Final = re.compile(r"\d+")


def nearest(label: str, by: Sequence[Dimension]) -> str | None:
    """None if a group can have this label; otherwise the nearest label, or its form.

    Args:
        label: labels of a group in the order of ``by``, joined by ``|``.
        by: the dimensions, none of them ``facility``.
    """
    parts = label.split("|")
    if len(parts) != len(by):
        return "|".join(LABELS[name][0] for name in by)
    nearest_label = "|".join(_nearest_part(part, name) for part, name in zip(parts, by, strict=True))
    return None if nearest_label == label else nearest_label


def _nearest_part(part: str, dimension: str) -> str:
    labels = LABELS[dimension]
    if part in labels:
        return part
    number = _NUMBER.search(part)
    if dimension == "age" and number:
        return AGE_BANDS[bisect_right(_AGE_STARTS, int(number.group())) - 1]
    folded = {label.casefold(): label for label in labels}
    same_start = [label for fold, label in folded.items() if part.casefold().startswith(fold)]
    return same_start[0] if same_start else folded[get_close_matches(part.casefold(), folded, 1, 0.0)[0]]
