"""Run as a process: ``iit import`` in steps of few rows, killed at a step. Arguments: step, place, the command's."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.cli.main import run
from tenants.imports import repository, runner
from tenants.imports.applying import apply

STEP_ROWS = 40


def main() -> int:
    """Import, and kill this process within (or right after) the step of the number in the first argument."""
    last, place = int(sys.argv[1]), sys.argv[2]
    runner.READ_ROWS = apply.STEP_ROWS = repository.CLEAR_ROWS = STEP_ROWS
    steps = 0
    step = runner.Runner._step

    @contextmanager
    def counted(self: runner.Runner) -> Iterator[Any]:
        nonlocal steps
        steps += 1
        with step(self) as progress:
            yield progress
            if steps == last and place == "within":
                os.kill(os.getpid(), signal.SIGKILL)
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)

    runner.Runner._step = counted  # type: ignore[method-assign]
    return run(sys.argv[3:])


if __name__ == "__main__":
    sys.exit(main())
