"""Sends a tenant's webhooks, and is killed where the test says: ``TENANT PLACE``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.jobs import deliveries
from core.jobs.worker import drain
from core.tenancy import get_tenant
from core.webhooks import dispatch

PLACES = {
    "relay": (deliveries, "forward"),
    "request": (dispatch, "_attempt"),
    "record": (dispatch, "_record"),
    "finish": (dispatch, "_finish"),
}
"""Name -> the function after which the process is killed; but for the request, its transaction is open."""


def kill_after(module, name):
    """Let the function do its work, and the process end there."""
    function = getattr(module, name)

    def last(*values):
        function(*values)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, name, last)


if __name__ == "__main__":
    slug, place = sys.argv[1:]
    kill_after(*PLACES[place])
    drain(get_tenant(slug))
