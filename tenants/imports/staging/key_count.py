"""Detects, while rows are staged, whether a key of an import is repeated. Most files repeat none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

MOST = 4_000_000
"""Most keys in memory, eight bytes of each. For larger imports, a query of the staging table decides."""


class KeyCount:
    """The keys of the rows that one reading of an import's files stages.

    Keys are blind indexes: if two begin with the same eight bytes by chance, the database decides.
    """

    def __init__(self) -> None:
        self._parts: list[npt.NDArray[np.uint64]] = []
        self._count = 0

    def add(self, keys: Sequence[bytes]) -> None:
        """Add the keys of further rows, of 16 bytes each."""
        self._count += len(keys)
        if self._count > MOST:
            self._parts.clear()
        else:
            self._parts.append(np.frombuffer(b"".join(keys), dtype=np.uint64)[::2].copy())

    def all_differ(self) -> bool:
        """Whether certainly no key is repeated; False if that is unknown."""
        if self._count > MOST:
            return False
        return not self._parts or bool(np.unique(np.concatenate(self._parts)).size == self._count)
