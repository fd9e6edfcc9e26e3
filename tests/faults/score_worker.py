"""Scores a tenant in small steps and stops where the test can kill it.

Started as ``python tests/faults/score_worker.py SLUG DAY STEP PLACE``: it waits at the STEPth transaction, ``within``
it or ``between`` it and the one before, until it is killed.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.database import tenant_session
from core.tenancy import get_tenant
from tenants.risk import scoring

CHUNK = 40
EXPLAINED = 10


def main(slug: str, day: str, step: int, place: str) -> None:
    tenant, taken = get_tenant(slug), 0

    def wait() -> None:
        sys.stdout.write("waiting\n")
        sys.stdout.flush()
        time.sleep(600)

    @contextmanager
    def opened():
        nonlocal taken
        taken += 1
        mine = taken == step
        if mine and place == "between":
            wait()
        with tenant_session(tenant, actor="test:1") as session:
            yield session
            if mine and place == "within":
                wait()

    scoring.EXPLAINED_AT_ONCE = EXPLAINED
    scoring.score(tenant, opened, date.fromisoformat(day), chunk_patients=CHUNK)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
