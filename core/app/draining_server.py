"""The server of ``iit serve``: uvicorn's, which drains before it stops."""

from __future__ import annotations

import signal
from threading import Timer
from typing import TYPE_CHECKING

from uvicorn import Server

from core import telemetry
from core.app import draining

if TYPE_CHECKING:
    from types import FrameType

    from uvicorn import Config

log = telemetry.get_logger(__name__)


class DrainingServer(Server):
    """A server that says that it is not ready for a while before it closes its port.

    Args:
        config: uvicorn's.
        seconds: how long it drains after SIGTERM. A second signal, or Ctrl-C, ends that at once.
    """

    def __init__(self, config: Config, seconds: float) -> None:
        super().__init__(config)
        self._seconds = seconds
        self._timer: Timer | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain, or stop."""
        draining.begin()
        if sig != signal.SIGTERM or not self._seconds or self._timer is not None:
            if self._timer is not None:
                self._timer.cancel()
            super().handle_exit(sig, frame)
            return
        log.info("the server drains before it stops", seconds=self._seconds)
        self._timer = Timer(self._seconds, super().handle_exit, (sig, frame))
        self._timer.daemon = True
        self._timer.start()
