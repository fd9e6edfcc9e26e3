"""The figures of a storm, as lines and as the table of docs/reliability.md."""

from __future__ import annotations

import platform
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.storm.storm import Report

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reliability.md"
BEGIN, END = "<!-- figures -->", "<!-- end of the figures -->"


def figures(report: Report) -> list[tuple[str, str]]:
    """Return names and values, the verdict last."""
    away = sorted(report.away)
    return [
        ("kills", f"{sum(report.kills.values())} ({_listed(report.kills)})"),
        ("acknowledged writes", f"{sum(report.acknowledged.values())} ({_listed(report.acknowledged)})"),
        ("requests that were repeated", str(report.repeated)),
        ("jobs", _listed(report.jobs)),
        (
            "from a kill to the next acknowledged write",
            f"median {statistics.median(away):.2f} s, longest {away[-1]:.1f} s",
        ),
        ("until no job waited, after the last write", f"{report.settled:.1f} s"),
        ("duration, and seed", f"{report.seconds:.0f} s, {report.seed}"),
        ("promises broken", str(len(report.problems))),
    ]


def write(report: Report) -> None:
    """Put the figures into the page, in place of the earlier ones."""
    day, machine = datetime.now(UTC).date(), f"{platform.machine()}, Python {platform.python_version()}"
    rows = [f"| {name} | {value} |" for name, value in figures(report)]
    table = "\n".join([f"Measured on {day}; {machine}.", "", "| | |", "|---|---|", *rows])
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
