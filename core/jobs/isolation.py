"""Runs suspect jobs in a process of their own, and finally with no other job beside them.

When a worker vanishes, any of its jobs may be the cause, so the death counts against none of them. Each job runs again
in a process of its own, so that another crash ends only that process. If that process dies too, alone or together with
its worker, the job runs again while its worker runs nothing else. Only a death then counts as an interruption.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from core import telemetry
from core.jobs import endings, leases
from core.jobs.leases import Hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

    from core.jobs.leases import Suspect

COMMAND = (sys.executable, "-m", "core.jobs.isolated")
"""The command that runs one job; its arguments are the job's id, database, lease token and this process's number."""

NO_DATABASE = 75
"""Exit code of a process that lost the database. The try does not count."""

_LOOK_SECONDS = 0.25
log = telemetry.get_logger(__name__)


class Gate:
    """A gate that lets jobs run side by side, or one job alone. A job that waits to run alone goes first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._beside = 0
        self._alone = False
        self._waiting = 0

    @property
    def awaited(self) -> bool:
        """Return whether a job waits to run alone."""
        return self._waiting > 0

    @contextmanager
    def beside_others(self, stopping: Event) -> Iterator[bool]:
        """Wait while a job runs or waits to run alone; let none run alone during the block.

        Yields:
            False if ``stopping`` was set; the job must not run then.
        """
        with self._changed:
            while (self._alone or self._waiting) and not stopping.is_set():
                self._changed.wait(_LOOK_SECONDS)
            entered = not stopping.is_set()
            self._beside += entered
        try:
            yield entered
        finally:
            with self._changed:
                self._beside -= entered
                self._changed.notify_all()

    @contextmanager
    def alone(self, stopping: Event) -> Iterator[bool]:
        """Wait until no other job runs; let none run during the block.

        Yields:
            False if ``stopping`` was set; the job must not run then.
        """
        with self._changed:
            self._waiting += 1
            while (self._alone or self._beside) and not stopping.is_set():
                self._changed.wait(_LOOK_SECONDS)
            self._waiting -= 1
            entered = not stopping.is_set()
            self._alone = self._alone or entered
        try:
            yield entered
        finally:
            with self._changed:
                if entered:
                    self._alone = False
                self._changed.notify_all()


class Isolation:
    """The processes of a worker's suspect jobs.

    Args:
        stopping: set when the worker must stop. Each process then ends its step and gives its job back.
        let_go: puts back a job whose process lost the database.
    """

    def __init__(self, stopping: Event, let_go: Callable[[Hold], None]) -> None:
        self._stopping, self._let_go = stopping, let_go
        self._lock = threading.Lock()
        self._running: dict[UUID, tuple[Hold, subprocess.Popen[bytes]]] = {}
        self._released: set[UUID] = set()

    def run(self, suspect: Suspect) -> str | None:
        """Run the job in its own process, and wait for its end.

        Returns:
            ``ended`` if the process ended by itself or ``release`` killed it. If it died, the job's new state, or None
            if this worker had lost the job.

        Raises:
            Unavailable: the process died, and the database does not answer to record that.
        """
        hold = Hold(suspect.job_id, uuid4(), suspect.database)
        arguments = (str(hold.job_id), hold.database, str(hold.token), str(os.getpid()))
        process = subprocess.Popen(  # noqa: S603 - our own program, our own ids
            [*COMMAND, *arguments], stdin=subprocess.DEVNULL, start_new_session=True
        )
        with self._lock:
            self._running[hold.token] = (hold, process)
        try:
            code = self._wait(process)
        finally:
            process.kill()
            process.wait()
            with self._lock:
                self._running.pop(hold.token)
                released = hold.token in self._released
                self._released.discard(hold.token)
        if code == NO_DATABASE:
            self._let_go(hold)
        if code in (0, NO_DATABASE) or released:
            return "ended"
        alone = suspect.level == leases.ALONE
        log.warning("the process of a job died", job_id=str(hold.job_id), code=code, alone=alone)
        return endings.vanish(hold)

    def release(self) -> int:
        """Kill the processes and give their jobs back, because this worker ends. Return how many were given back."""
        with self._lock:
            running = list(self._running.values())
            self._released.update(hold.token for hold, _ in running)
        for _, process in running:
            process.kill()
            process.wait()
        return sum(leases.give_back(hold) for hold, _ in running)

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        asked = False
        while True:
            try:
                return process.wait(_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if self._stopping.is_set() and not asked:
                    process.terminate()
                    asked = True
