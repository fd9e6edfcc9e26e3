"""``python -m tests.faults.storm --rounds 200``: a storm on servers of its own; its figures come last.

The status is 1 if a promise was broken. ``--record`` writes the figures into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.conftest import point_at


def main() -> int:
    """Run the storm that the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.storm")
    parser.add_argument("--rounds", type=int, default=200, help="kills")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of victims and delays")
    parser.add_argument("--record", action="store_true", help="write the figures into docs/reliability.md")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="iit-storm-"))
    folder.chmod(0o755)
    point_at(folder)
    from core.services import ensure, stop  # after the settings are those of the storm

    try:
        ensure()
        return _storm(asked.rounds, asked.seed, record=asked.record)
    finally:
        stop()
        shutil.rmtree(folder, ignore_errors=True)


def _storm(rounds: int, seed: int, *, record: bool) -> int:
    from core.database.upgrade import migrate
    from core.tenancy import create_tenant
    from tests.faults import noting
    from tests.faults.storm.report import figures, write
    from tests.faults.storm.storm import storm

    migrate()
    noting.install()
    report = storm(create_tenant("storm", "Storm"), rounds=rounds, seed=seed, tell=print)
    for problem in report.problems:
        sys.stdout.write(f"broken: {problem}\n")
    sys.stdout.write("\n".join(f"{name}: {value}" for name, value in figures(report)) + "\n")
    if record and not report.problems:
        write(report)
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
