"""``iit serve``: serves the API on one address, with a worker beside it on request."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Self

import click

from core.app.server import GRACE, configuration, listen
from core.cli.output import note

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

WORKER = (sys.executable, "-m", "core.cli", "worker")
RESTART_SECONDS = (1, 2, 5, 15, 30)


@click.command()
@click.option("--host", help="Address to listen on. Default: the setting IIT_HOST, 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one. Default: IIT_PORT, 8000.")
@click.option("--worker", is_flag=True, help="Also run `iit worker`, which does the jobs.")
def serve(host: str | None, port: int | None, *, worker: bool) -> None:
    """Serve the API, and its documentation at /docs, until stopped (Ctrl-C).

    Raises:
        Unavailable: the address is not free, the servers underneath cannot be started, or this process has another
            master key or store of files than the installation.
    """
    from core import telemetry
    from core.app.draining_server import DrainingServer
    from core.app.factory import create_app
    from core.database.rights import warn_of_open_rights
    from core.services import ensure
    from core.settings import get_settings

    settings = get_settings()
    telemetry.configure_from_settings()
    ensure()
    _check_start()
    warn_of_open_rights()
    config = configuration(create_app(), proxies=settings.proxies)
    # uvicorn ends gracefully and then lets the signal act again: it must leave through ``with``, not kill us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with listen(host or settings.host, settings.port if port is None else port) as listening:
        address = f"http://{_shown(listening)}"
        note(f"serving on {address} (documentation: {address}/docs)")
        with Companion(WORKER, _of_worker(settings.metrics_port)) if worker else nullcontext():
            DrainingServer(config, settings.drains_for).run(sockets=[listening])


def _of_worker(metrics_port: int | None) -> dict[str, str]:
    """Return the environment of the worker beside this server, whose metrics need another port."""
    return {} if not metrics_port else {"IIT_METRICS_PORT": str(metrics_port + 1)}


def _check_start() -> None:
    """Check that the master key and the store of files are the installation's.

    If the database does not answer or is not migrated yet, only print a note: ``/health/ready`` answers 503 until then.

    Raises:
        Unavailable: the key or the store is not the installation's.
    """
    from core.database import DatabaseNotMigrated, DatabaseUnavailable
    from core.startup import check_start

    try:
        check_start()
    except (DatabaseNotMigrated, DatabaseUnavailable) as error:
        note(f"not ready yet: {error.detail}; {error.at_terminal}")


def _shown(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Companion:
    """A child process that restarts when it ends by itself, and stops with us. Used as a context manager."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._command = command
        self._environment = None if not environment else {**os.environ, **environment}
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._watch = threading.Thread(target=self._keep, name="companion", daemon=True)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with self._lock:
            child = self._child
        if child is not None and child.poll() is None:
            child.terminate()
            try:
                child.wait(GRACE)
            except subprocess.TimeoutExpired:
                note("the worker did not stop in time and is killed; its job will be done again")
                child.kill()
                child.wait()
        self._watch.join()

    def _keep(self) -> None:
        ended = 0
        while not self._stopping.is_set():
            with self._lock:
                if self._stopping.is_set():
                    return
                self._child = subprocess.Popen(self._command, env=self._environment)  # noqa: S603 - our own interpreter and module
            code = self._child.wait()
            if self._stopping.is_set():
                return
            pause = RESTART_SECONDS[min(ended, len(RESTART_SECONDS) - 1)]
            ended += 1
            note(f"the worker ended with code {code}; it is started again in {pause} s")
            self._stopping.wait(pause)
