"""Whether any key of an import comes twice, told from what is staged: most files have no row twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

MOST = 4_000_000
"""Keys that are remembered, eight bytes of each; of larger imports the staging table is asked."""


class KeyCount:
    """The keys of the rows that one reading of an import's files stages.

    Keys are blind indexes: that two begin with the same eight bytes by chance costs a question to the database.
    """

    def __init__(self) -> None:
        self._parts: list[npt.NDArray[np.uint64]] = []
        self._count = 0

    def add(self, keys: Sequence[bytes]) -> None:
        """Note the keys of further rows, of 16 bytes each."""
        self._count += len(keys)
        if self._count > MOST:
            self._parts.clear()
        else:
            self._parts.append(np.frombuffer(b"".join(keys), dtype=np.uint64)[::2].copy())

    def all_differ(self) -> bool:
        """Whether no key came twice for certain; False where that is not known."""
        if self._count > MOST:
            return False
        return not self._parts or bool(np.unique(np.concatenate(self._parts)).size == self._count)
