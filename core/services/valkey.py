"""The embedded Valkey. It stores only data that may vanish, so it writes nothing to disk."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.services import faults, ports
from core.services.account import Account
from core.services.programs import Programs

if TYPE_CHECKING:
    from core.telemetry.progress import LineCallback

_START_SECONDS = 15.0
_TRIES = 5
_MAX_MEMORY = "256mb"


@dataclass(frozen=True, slots=True)
class Valkey:
    """One server, with its folder in ``home/valkey``."""

    home: Path
    account: Account
    say: LineCallback

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home / "valkey.log"

    def start(self, programs: Programs, port: int, password: str) -> int:
        """Start the server on ``port``, or on another free port if that is taken. Return the port.

        Raises:
            Unavailable: it did not start; the remedy says what to do.
        """
        wanted = port
        for attempt in range(_TRIES):
            if attempt or not port or not ports.is_free(port):
                port = ports.choose(avoiding=port)
            self.log.unlink(missing_ok=True)
            # The settings go by standard input, because everybody could read the password on a command line.
            command, settings = [str(programs.valkey), "-"], self._settings(port, password)
            done = self.account.run(command, folder=self.home, stdin=settings, timeout=_START_SECONDS)
            if done.returncode == 0 and self._answers(port, password):
                if wanted and port != wanted:
                    self.say(f"port {wanted} is taken by another program: Valkey now listens on {port}")
                return port
            output = faults.since(self.log, 0) + done.stdout
            if not any(sign in output for sign in faults.PORT_TAKEN):
                break
        raise faults.rejected("Valkey did not start", output, self.log)

    def stop(self, port: int, password: str) -> bool:
        """Stop the server on ``port``. Return False if none ran."""
        if not ports.answers_as_valkey(port, password):
            return False
        ports.shut_valkey_down(port, password)
        deadline = time.monotonic() + _START_SECONDS
        while ports.answers_as_valkey(port, password) and time.monotonic() < deadline:
            time.sleep(0.02)
        return True

    def _settings(self, port: int, password: str) -> str:
        return (
            f"bind {ports.LOOPBACK}\nport {port}\nrequirepass {password}\ndaemonize yes\n"
            f'dir "{self.home}"\npidfile "{self.home / "valkey.pid"}"\nlogfile "{self.log}"\n'
            f'save ""\nappendonly no\nmaxmemory {_MAX_MEMORY}\nmaxmemory-policy volatile-lru\n'
        )

    def _answers(self, port: int, password: str) -> bool:
        """Return whether the server answers in time. It forks to the background before it listens."""
        deadline = time.monotonic() + _START_SECONDS
        while not ports.answers_as_valkey(port, password):
            if time.monotonic() > deadline or any(sign in faults.since(self.log, 0) for sign in faults.PORT_TAKEN):
                return False
            time.sleep(0.02)
        return True
