"""Figures on the terminal and in ``docs/benchmarks.md``, whose tables are made of measured figures and nothing else."""

from __future__ import annotations

import json
import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.measure import Ratio

DOCS = Path(__file__).resolve().parents[1] / "docs"
FIGURES, PAGE = DOCS / "benchmarks" / "figures.json", DOCS / "benchmarks.md"
_TABLES = re.compile(r"(<!-- figures -->\n).*(<!-- end of figures -->)", re.DOTALL)


def shown(ratio: Ratio) -> str:
    """Return one figure as a line."""
    target = "" if ratio.target is None else f"  (at most {ratio.target:.2f})"
    return (
        f"{ratio.name}: {amount(ratio.ours, ratio.unit)} / {amount(ratio.bare, ratio.unit)} = {ratio.times:.2f}{target}"
    )


def amount(value: float, unit: str) -> str:
    """A quantity as a person reads it."""
    if unit != "s":
        return f"{value:,.0f} {unit}"
    if value >= 1:
        return f"{value:,.1f} s"
    return f"{value * 1000:.2f} ms" if value * 1000 >= 0.1 else f"{value * 1e6:.1f} µs"  # noqa: PLR2004 - where ms say little


def record(name: str, scale: str, ratios: Sequence[Ratio]) -> None:
    """Replace the figures of one benchmark, and rebuild the page's tables."""
    figures: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    figures[name] = {
        "command": f"python -m benchmarks {name} --scale {scale} --record",
        "day": datetime.now(UTC).date().isoformat(),
        "load": round(os.getloadavg()[0], 1),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "figures": [
            {"name": r.name, "ours": r.ours, "bare": r.bare, "unit": r.unit, "target": r.target} for r in ratios
        ],
    }
    FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_TABLES.sub(lambda match: match[1] + tables(figures) + match[2], page), encoding="utf-8")


def tables(figures: dict[str, Any]) -> str:
    """All figures as Markdown, a section per benchmark."""
    parts = []
    for name, entry in sorted(figures.items()):
        story = DOCS / "benchmarks" / f"{name}.md"
        link = f" [What it measures, and where the time goes](benchmarks/{name}.md)." if story.exists() else ""
        rows = [
            f"| {row['name']} | {amount(row['ours'], row['unit'])} | {amount(row['bare'], row['unit'])}"
            f" | {row['ours'] / row['bare']:.2f} | {'' if row['target'] is None else format(row['target'], '.2f')} |"
            for row in entry["figures"]
        ]
        parts.append(
            f"## {name}\n\n`{entry['command']}` on {entry['day']}; {entry['machine']};"
            f" load {entry['load']} at its end.{link}\n\n"
            "| measured | ours | bare | ours / bare | at most |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
        )
    return "\n" + "\n".join(parts) + "\n"
