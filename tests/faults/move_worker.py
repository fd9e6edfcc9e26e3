"""Moves a tenant and stops where the test can kill it: ``python tests/faults/move_worker.py SLUG DATABASE POINT``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.tenancy.move import service


def main(slug: str, database: str, point: str) -> None:
    def passed(name: str) -> None:
        if name == point:
            sys.stdout.write("waiting\n")
            sys.stdout.flush()
            time.sleep(600)

    service.move(slug, database, passed=passed)


if __name__ == "__main__":
    main(*sys.argv[1:])
