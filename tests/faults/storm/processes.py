"""Runs two workers and a relay, and forks another in the place of each that is killed.

``python tests/faults/storm/processes.py FOLDER`` writes the process number of each into a file of the folder that has
its name. Modules are imported once, so that a round of the storm costs no start of Python.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from threading import Event

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from core.jobs import runner as runners
from core.jobs import worker
from core.jobs.broker import DramatiqMessages
from core.jobs.relay import Relay
from core.jobs.worker import serve
from tests.faults import job_worker, noting


def all_beside_each_other() -> None:
    """Let the jobs of a killed worker run in threads again, and not each in a process of its own that starts anew."""

    def runner(*, isolating: bool, threads: int) -> runners.Runner:
        assert isolating
        return runners.Runner(threads=threads)

    worker.Runner = runner  # type: ignore[misc,assignment]


def relay() -> None:
    """Run a relay alone, beside those of the workers."""
    Relay(DramatiqMessages()).run(Event())


RUN = {"worker": serve, "other worker": serve, "relay": relay}


def forked(name: str, folder: Path) -> int:
    """Fork the process of this name."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            RUN[name]()
        finally:
            os._exit(1)
    place = folder / f"{name}.new"
    place.write_text(str(child))
    place.replace(folder / name)
    return child


def main(folder: Path) -> None:
    """Keep the processes running until SIGTERM."""
    noting.install()
    job_worker.prepare()
    if os.environ.get("TEST_ISOLATING") == "0":
        all_beside_each_other()
    children: dict[int, str] = {}

    def stop(*_: object) -> None:
        for child in children:
            os.kill(child, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    for name in RUN:
        children[forked(name, folder)] = name
    while True:
        ended, status = os.wait()
        if not os.WIFSIGNALED(status):
            sys.stderr.write(f"{children[ended]} ended by itself\n")
        name = children.pop(ended)
        children[forked(name, folder)] = name


if __name__ == "__main__":
    main(Path(sys.argv[1]))
