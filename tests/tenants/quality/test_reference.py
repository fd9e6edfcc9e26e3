"""The reference page and the catalogue say the same."""

from __future__ import annotations

from pathlib import Path

from tenants.quality.catalog import DIMENSIONS, MEASURES, VERSION

PAGE = (Path(__file__).parents[3] / "docs/reference/data-quality.md").read_text(encoding="utf-8")


def test_every_measure_stands_in_the_reference_as_it_is_counted() -> None:
    rows = [f"| {m.dimension} | `{m.name}` | {m.weight} | {m.numerator} | {m.denominator} |" for m in MEASURES]
    lines = [line for line in PAGE.splitlines() if line.startswith("|") and "`" in line]
    assert lines == rows


def test_the_weights_of_dimensions_and_the_version_stand_there() -> None:
    for dimension in DIMENSIONS:
        assert f"{dimension.name} {dimension.weight}" in PAGE.lower()
    assert f"(now {VERSION})" in PAGE
