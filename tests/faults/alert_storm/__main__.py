"""``python -m tests.faults.alert_storm --alerts 1000``: a storm of alerts on servers of its own; its figures come last.

The status is 1 if a promise was broken. ``--record`` writes the figures into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import platform
import secrets
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.conftest import point_at
from tests.faults.storm.report import PAGE

BEGIN, END = "<!-- alerts -->", "<!-- end of the alerts -->"


def main() -> int:
    """Run the storm that the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.alert_storm")
    parser.add_argument("--alerts", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of victims and pauses")
    parser.add_argument("--record", action="store_true", help="write the figures into docs/reliability.md")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="iit-alert-storm-"))
    folder.chmod(0o755)
    point_at(folder)
    from core.services import ensure, stop  # after the settings are those of the storm

    try:
        ensure()
        return _storm(asked.alerts, asked.seed, record=asked.record)
    finally:
        stop()
        shutil.rmtree(folder, ignore_errors=True)


def _storm(alerts: int, seed: int, *, record: bool) -> int:
    from core.database.upgrade import migrate
    from core.tenancy import create_tenant
    from tests.faults.alert_storm.storm import figures, storm

    migrate()
    report = storm(create_tenant("alerts", "Alerts").ref, alerts=alerts, pause=(1.0, 4.0), seed=seed)
    for problem in report.problems:
        sys.stdout.write(f"broken: {problem}\n")
    rows = figures(report)
    sys.stdout.write("\n".join(f"{name}: {value}" for name, value in rows) + "\n")
    if record and not report.problems:
        day, machine = datetime.now(UTC).date(), f"{platform.machine()}, Python {platform.python_version()}"
        lines = [f"Measured on {day}; {machine}.", "", "| | |", "|---|---|", *(f"| {n} | {v} |" for n, v in rows)]
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        table = "\n".join(lines)
        PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
