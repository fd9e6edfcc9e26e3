"""The card of a model as a PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from core.web.typesetting import plain, typeset
from tenants.risk.cards import GROUP_FIGURES, MAIN, estimate_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOURCE: Final = """
#let report = json("report.json")
#set document(title: report.title)
#set page(paper: "a4", margin: 1.8cm, numbering: "1 / 1")
#set text(size: 9pt, lang: "en")
#set par(justify: false)
#show table.cell.where(y: 0): strong
= #report.title
#for line in report.lines [#par(line)]
#for section in report.sections [
  == #section.title
  #for line in section.lines [- #line]
  #if section.rows.len() > 0 {
    table(
      columns: section.columns.len(), stroke: 0.4pt + gray, inset: 3pt,
      table.header(..section.columns), ..section.rows.flatten()
    )
  }
]
"""


def card_pdf(card: Mapping[str, Any], origin: Mapping[str, Any] | None) -> bytes:
    """The card of a model: purpose, data, figures with intervals, groups, gates, limits, and what it came from."""
    return typeset(_SOURCE, _content(card, origin))


def _content(card: Mapping[str, Any], origin: Mapping[str, Any] | None) -> dict[str, Any]:
    lines = [
        str(card["intended_use"]),
        f"Kind: {card['kind']} {card['plugin_version']}, trained {card['trained_at']}.",
        f"Outcome: {card['outcome']}.",
        f"Choice: {card['choice']}.",
        f"Calibration: {card['calibration']}",
    ]
    if card.get("failure"):
        lines.append(f"It could not be trained: {card['failure']}.")
    sections = [
        _section("Data", _folds(card["data"]), ("fold", "decisions", "people", "interruptions", "from", "to")),
        *_figures(card),
        *_groups(card.get("groups") or {}),
        _section("Gates", [], lines=_gates(card["gates"])),
        _section("Limits", [], lines=card["limits"]),
        _section("What it came from", [], lines=_origin(origin or {})),
    ]
    return {
        "title": f"Model {card['version']}",
        "lines": [plain(line) for line in lines],
        "sections": [section for section in sections if section["rows"] or section["lines"]],
    }


def _section(
    title: str, rows: list[list[str]], columns: tuple[str, ...] = (), lines: list[str] | tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        "title": plain(title),
        "columns": list(columns),
        "rows": [[plain(cell) for cell in row] for row in rows],
        "lines": [plain(str(line)) for line in lines],
    }


def _folds(folds: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            name,
            f"{fold['decisions']:,}",
            f"{fold['patients']:,}",
            f"{fold['interruptions']:,}",
            str(fold["first_decision"]),
            str(fold["last_decision"]),
        ]
        for name in ("train", "calibrate", "test")
        if (fold := folds.get(name, {})).get("decisions")
    ]


def _figures(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not card.get("metrics"):
        return []
    own, rule = card["metrics"]["metrics"], (card.get("naive_rule") or {}).get("metrics", {})
    rows = [[name.replace("_", " "), estimate_text(own.get(name)), estimate_text(rule.get(name))] for name in MAIN]
    return [_section("On held-out later time (95 % intervals)", rows, ("figure", "this model", "late last time"))]


def _groups(groups: Mapping[str, Any]) -> list[dict[str, Any]]:
    columns = ("group", "decisions", *(name.replace("_", " ") for name in GROUP_FIGURES))
    return [
        _section(
            f"By {division.replace('_', ' ')}",
            [
                [
                    f"{group['label']}{' (few)' if group['small'] else ''}",
                    f"{group['decisions']:,}",
                    *(estimate_text(group["metrics"].get(name)) for name in GROUP_FIGURES),
                ]
                for group in members
            ],
            columns,
        )
        for division, members in groups.items()
    ]


def _gates(gates: Mapping[str, Any]) -> list[str]:
    rows = [
        f"{name}: {'passed' if gate['passed'] else 'not passed'} ({gate['why']})"
        for name, gate in gates.items()
        if isinstance(gate, dict)
    ]
    return rows or [str(gates.get("why", ""))]


def _origin(origin: Mapping[str, Any]) -> list[str]:
    if not origin:
        return []
    libraries = ", ".join(f"{name} {version}" for name, version in origin["libraries"].items())
    return [
        f"Data: {origin['data']['decisions']:,} decisions, SHA-256 {origin['data']['sha256']}",
        f"Code: version {origin['code']['version']}, SHA-256 {origin['code']['sha256']}",
        f"Libraries: {libraries}",
        f"Seed: {origin['seed']}",
    ]
