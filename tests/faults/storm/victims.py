"""The processes of a small installation, each of which can be killed at any moment and comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil

from core.errors import Unavailable
from core.jobs.broker import DramatiqMessages
from core.services import ensure
from core.settings import get_settings
from tests import zygote

FOLDER = Path(__file__).resolve().parents[1]
SETTINGS = {
    "IIT_JOBS_POLL_SECONDS": "0.1",
    "IIT_JOBS_GRACE_SECONDS": "5",
    "IIT_JOBS_THREADS": "4",
    "IIT_JOBS_RESEND_AFTER": "2",
    "TEST_LEASE_SECONDS": "2",
}
FORKED = ("worker", "other worker", "relay")
PATIENCE = 180.0
"""Seconds within which a server that was killed answers again."""


class Installation:
    """API, two workers, a relay, PostgreSQL and Redis; ``kill(name)`` kills one of them with SIGKILL.

    Args:
        isolating: whether jobs of a killed worker run in processes of their own, each of which takes seconds to start.
    """

    def __init__(self, *, isolating: bool) -> None:
        self._isolating = isolating
        self._folder = Path(os.environ["IIT_STATE_DIR"]).parent
        self._killed: dict[str, int] = {}
        self._parent = self._started("storm/processes.py", str(self._folder))
        self._api = self._started("api_server.py")
        assert self._api.stdout is not None
        self.address = f"http://127.0.0.1:{int(self._api.stdout.readline())}"
        self.victims = ("api", *FORKED, "both workers", "postgresql", "redis")

    def kill(self, name: str) -> None:
        """Kill one of the victims, and start it again."""
        if name == "api":
            for server in psutil.Process(self._api.pid).children():  # its parent starts another
                server.kill()
        elif name == "both workers":
            for worker in ("worker", "other worker"):
                self.kill(worker)
        elif name == "postgresql":
            (postmaster,) = Path(os.environ["IIT_STATE_DIR"]).rglob("postmaster.pid")
            os.kill(int(postmaster.read_text().split()[0]), signal.SIGKILL)
            self._server_again()
        elif name == "redis":
            messages = DramatiqMessages()
            os.kill(messages.client.info()["process_id"], signal.SIGKILL)
            messages.client.close()
            self._server_again()
        else:
            os.kill(self._number_of(name), signal.SIGKILL)  # its parent starts another

    def stop(self) -> None:
        """Kill all processes but PostgreSQL and Redis."""
        for process in (self._api, self._parent):
            process.terminate()
            process.wait()
        assert self._api.stdout is not None
        self._api.stdout.close()

    def _number_of(self, name: str) -> int:
        """Return the number of a process that was not killed before."""
        place, end = self._folder / name, time.monotonic() + PATIENCE
        while not place.exists() or (number := int(place.read_text())) == self._killed.get(name):
            assert time.monotonic() < end, f"the {name} does not come back"
            time.sleep(0.01)
        self._killed[name] = number
        return number

    def _started(self, script: str, *arguments: str) -> zygote.Process:
        get_settings.cache_clear()
        with (self._folder / f"{Path(script).stem}.log").open("ab") as log:
            return zygote.start(
                FOLDER / script,
                *arguments,
                env={**os.environ, **SETTINGS, "TEST_ISOLATING": str(int(self._isolating))},
                stdout=subprocess.PIPE if script == "api_server.py" else log.fileno(),
                stderr=log.fileno(),
                text=True,
            )

    @staticmethod
    def _server_again() -> None:
        """Start the embedded servers that do not run. One that was killed may need a moment to be gone."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                ensure()
            except Unavailable:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
            else:
                return
