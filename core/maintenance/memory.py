"""The notice of maintenance in the memory of this process: no request asks the database for it.

A thread reads it every few seconds while the application serves. If it cannot be read, the last one stays.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from core import telemetry
from core.clock import now
from core.maintenance import repository
from core.telemetry.tracebacks import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.maintenance.models import Notice

SECONDS: Final = 3.0
"""Seconds between two reads: a notice is everywhere within so long."""

log = telemetry.get_logger(__name__)


class Memory:
    """The notice as this process read it last."""

    def __init__(self) -> None:
        self.notice: Notice | None = None
        self._failed = False

    def read(self) -> None:
        """Read the notice again. If it cannot be read, the last one stays, and the log has why once."""
        try:
            self.notice = repository.stored_notice()
            self._failed = False
        except Exception as error:  # noqa: BLE001 - a notice never stops a server
            if not self._failed:
                log.info("the notice of maintenance was not read; the last one stays", error=describe(error))
            self._failed = True


memory = Memory()


def current_notice() -> Notice | None:
    """Return the notice of maintenance, from memory; None if there is none or its time is over."""
    notice = memory.notice
    return notice if notice is not None and notice.until > now() else None


@contextmanager
def notice_followed() -> Iterator[None]:
    """Follow the notice until the block ends."""
    ended = threading.Event()

    def follow() -> None:
        memory.read()
        while not ended.wait(SECONDS):
            memory.read()

    thread = threading.Thread(target=follow, daemon=True, name="maintenance")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(SECONDS)
