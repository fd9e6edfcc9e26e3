"""Runs the jobs of a tenant whose scoring is divided, and stops within a step of a part, where the test can kill it.

Started as ``python tests/faults/spread_worker.py SLUG STEP``: it waits within the STEPth step of the parts.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.jobs.worker import drain
from core.tenancy import get_tenant
from tenants.risk import scoring, spread


def divide() -> None:
    """Let tenants of a test be large ones."""
    spread.SPREAD_FROM, spread.LEAST_OF_PART, spread.MOST_PARTS = 50, 20, 3
    scoring.CHUNK_PATIENTS = 20


def main(slug: str, step: int) -> None:
    original, steps = spread._step, []

    def waiting_step(session, *rest):
        ended = original(session, *rest)
        session.flush()
        steps.append(ended)
        if len(steps) == step:
            sys.stdout.write("waiting\n")
            sys.stdout.flush()
            time.sleep(600)
        return ended

    spread._step = waiting_step
    divide()
    drain(get_tenant(slug))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
