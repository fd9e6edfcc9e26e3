"""A store of files on another machine, each call to which passes the guard of ``core.resilience``."""

from __future__ import annotations

from typing import Any

from core.resilience import guarded
from core.resilience.dependencies import FILE_STORE


class GuardedStore:
    """A file system of ``fsspec`` whose methods are guarded. Missing files say nothing about the store.

    A stream that was opened reads without the guard: the store's own time limits bound each part.
    """

    def __init__(self, filesystem: Any) -> None:  # noqa: ANN401 - fsspec has no types
        self._filesystem = filesystem

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as above
        """Return a method with the guard around it, or a plain attribute."""
        attribute = getattr(self._filesystem, name)
        if not callable(attribute):
            return attribute
        return guarded(FILE_STORE, harmless=(FileNotFoundError, FileExistsError))(attribute)
