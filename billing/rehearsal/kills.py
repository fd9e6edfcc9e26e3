"""Kills: the connection dies in the moment of a commit, as when a process is killed; the step is then run again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, Engine, event

from core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

Result = TypeVar("Result")


class Kills:
    """Kills some of the steps at one of their commits, and counts.

    Args:
        random: decides which.
        chance: of a step to be killed.
    """

    def __init__(self, random: Random, chance: float) -> None:
        self.count = 0
        self._random, self._chance = random, chance
        self._commits: int | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the commits of this process."""
        event.listen(Engine, "commit", self._before_commit)
        try:
            yield
        finally:
            event.remove(Engine, "commit", self._before_commit)

    def step(self, function: Callable[..., Result], *values: object) -> Result:
        """Run a step until it is done; each step must have its effect one time, however often it is run."""
        while True:
            self._commits = self._random.randint(1, 3) if self._random.random() < self._chance else None
            try:
                return function(*values)
            except Unavailable:
                if self._commits != 0:
                    raise
                self.count += 1
            finally:
                self._commits = None

    def _before_commit(self, connection: Connection) -> None:
        if self._commits is None:
            return
        self._commits -= 1
        if self._commits == 0:
            driver = connection.connection.driver_connection
            if driver is not None:
                driver.close()
