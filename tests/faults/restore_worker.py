"""Restores a tenant and stops where the test can kill it: ``python tests/faults/restore_worker.py SLUG FILE POINT``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.tenancy.backup import container
from core.tenancy.backup.restoring import restore


def main(slug: str, file: str, point: str) -> None:
    def passed(name: str) -> None:
        if name == point:
            sys.stdout.write("waiting\n")
            sys.stdout.flush()
            time.sleep(600)

    with container.opened(Path(file)) as (_, manifest, dump):
        restore(slug, manifest, dump, why="test", passed=passed)


if __name__ == "__main__":
    main(*sys.argv[1:])
