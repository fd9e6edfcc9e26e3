"""The time between the order to stop and the end of a server.

The server answers everything, but ``/health/ready`` says no, and every answer closes its connection: load balancers and
clients go to another process, and no request meets a closed port.
"""

from __future__ import annotations

from threading import Event

_begun = Event()


def begin() -> None:
    """Let this process say that it stops."""
    _begun.set()


def begun() -> bool:
    """Return whether this process stops."""
    return _begun.is_set()


def cancel() -> None:
    """Let this process be ready again; tests call it."""
    _begun.clear()
