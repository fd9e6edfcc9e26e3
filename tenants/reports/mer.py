"""MER indicators as tables: long for CSV (one count per row), one sheet per indicator for xlsx."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenants.cohort.indicators import IN_TERMS, MEASURES, OUT_TERMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from core.web.tables import Cell
    from tenants.cohort.service import IndicatorReport

LONG_COLUMNS: Final = ("indicator", "count", "provisional", "complete_through", "definition")


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet: its title, headings and rows."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


def _family(prefix: str) -> tuple[str, ...]:
    return tuple(name for name in MEASURES if name == prefix or name.startswith(f"{prefix}_"))


FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "TX_CURR": ("TX_CURR",),
    "TX_NEW": ("TX_NEW",),
    "TX_ML": _family("TX_ML"),
    "TX_RTT": _family("TX_RTT"),
    "TX_PVLS": _family("TX_PVLS"),
    "Flows": ("TX_CURR_start", *IN_TERMS, *OUT_TERMS, "TX_CURR"),
}
"""Sheets with their measures. Flows: TX_CURR = TX_CURR_start + terms in - terms out."""


def by_facility(report: IndicatorReport) -> list[tuple[dict[str, str], dict[str, int]]]:
    """The report's groups, sorted by the DATIM id of the facility."""
    return sorted(report.rows, key=lambda row: row[0].get("facility", ""))


def long_columns(by: Sequence[str]) -> tuple[str, ...]:
    """Headings of the long table: period, last day counted, dimensions, count, and how complete the data are."""
    return ("start", "end", "as_of", *by, *LONG_COLUMNS)


def long_rows(report: IndicatorReport) -> Iterator[tuple[Cell, ...]]:
    """One row per group and measure, zeros included."""
    provisional = bool(report.provisional) or report.rebuilding
    for group, counts in by_facility(report):
        for name, count in counts.items():
            yield (
                report.period.start,
                report.period.end,
                report.as_of,
                *(group[dimension] for dimension in report.by),
                name,
                count,
                provisional,
                report.complete_through,
                report.definition,
            )


def tables(report: IndicatorReport) -> list[Table]:
    """One sheet per indicator, one of the flows, and one with the definitions.

    While the period goes on, each title says to which day the sheet counts, such as ``TX_CURR to 2026-11-29``.
    """
    until = f" to {report.as_of}" if report.as_of < report.period.end else ""
    sheets = [
        Table(
            f"{title}{until}",
            (*report.by, *measures),
            [
                (*(group[name] for name in report.by), *(counts[name] for name in measures))
                for group, counts in by_facility(report)
            ],
        )
        for title, measures in FAMILIES.items()
    ]
    return [*sheets, Table("About", ("what", "value"), list(_about(report)))]


def _about(report: IndicatorReport) -> Iterator[tuple[Cell, ...]]:
    yield "start", report.period.start
    yield "end", report.period.end
    yield "as of (the end, or the day to which the records run if that is earlier)", report.as_of
    if report.as_of < report.period.end:
        yield "so far", f"the counts run until {report.as_of}, the period until {report.period.end}"
    yield "definition", report.definition
    yield (
        "flows",
        "TX_CURR = TX_CURR_start + terms in - terms out, in every row; TX_NEW by age at start, else age at end",
    )
    yield "complete through", report.complete_through
    yield "provisional facilities (records end before the period does)", ", ".join(report.provisional) or "none"
    yield "stale facilities (they stopped reporting)", ", ".join(report.stale) or "none"
    yield "statuses being recomputed", report.rebuilding and not report.rebuild_problem
    if report.rebuild_problem:
        yield "statuses not recomputed to the end", report.rebuild_problem
