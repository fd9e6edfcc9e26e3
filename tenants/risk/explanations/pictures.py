"""Pictures of contributions as SVG, drawn on the server: waterfall, beeswarm and dependence.

They use the classes of the kit's charts and carry no style and no script. Put the same facts in a table beneath.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH: Final = 480
LABELS: Final = 150
"""Width of the labels at the left."""
ROW: Final = 34
HEAD: Final = 24
RADIUS: Final = 4.0
LONGEST_LABEL: Final = 22
"""Letters of a label in the picture; the table has all of it."""


def waterfall(
    title: str, base: tuple[str, float], steps: Sequence[tuple[str, float, str]], total: tuple[str, float]
) -> Markup:
    """The way from the usual log-odds to a person's own.

    Args:
        title: read aloud instead of the picture.
        base: label and log-odds of an average person.
        steps: label, contribution in log-odds and its text, in the order to draw.
        total: label and log-odds of the person: base and contributions added up.
    """
    ends, at = [base[1]], base[1]
    for step in steps:
        at += step[1]
        ends.append(at)
    low, high = min(*ends, total[1]), max(*ends, total[1])
    scale = _Scale(low, high)
    parts = [_edge_row(0, base[0], scale(base[1]))]
    for row, (label, value, text) in enumerate(steps, start=1):
        first, last = scale(ends[row - 1]), scale(ends[row])
        left, width = min(first, last), max(abs(last - first), 1)
        y = _top(row)
        kind = "bar" if value >= 0 else "bar against"
        parts.append(
            _label(label, y)
            + f'<rect class="{kind}" x="{left:.1f}" y="{y + 6:.0f}" width="{width:.1f}" height="16" rx="2"/>'
            + f'<line class="axis" x1="{last:.1f}" y1="{y + 6:.0f}" x2="{last:.1f}" y2="{y + ROW + 6:.0f}"/>'
            + _text(
                left + width + 4 if left + width < WIDTH - 50 else left - 4,
                y + 18,
                text,
                end=left + width >= WIDTH - 50,
            )
        )
    parts.append(_edge_row(len(steps) + 1, total[0], scale(total[1])))
    return _svg(title, _top(len(steps) + 2), parts)


def beeswarm(title: str, rows: Sequence[tuple[str, Sequence[Sequence[float | None]]]], low: str, high: str) -> Markup:
    """Where the contributions of many people lie, a row for each feature.

    Low values are hollow, high ones filled, so that colour does not speak alone; values in between are half as large.

    Args:
        title: read aloud instead of the picture.
        rows: label, and points: contribution in log-odds, and the place of the value from 0 to 1, or None if unknown.
        low: words at the left of the axis: lowers the risk.
        high: words at the right: raises it.
    """
    values = [float(point[0] or 0) for row in rows for point in row[1]]
    limit = max((abs(value) for value in values), default=1.0) or 1.0
    scale = _Scale(-limit, limit)
    middle = scale(0)
    bottom = _top(len(rows))
    parts = [f'<line class="axis" x1="{middle:.1f}" y1="{HEAD}" x2="{middle:.1f}" y2="{bottom:.0f}"/>']
    for place, (label, points) in enumerate(rows):
        y = _top(place)
        parts.append(_label(label, y))
        taken: list[tuple[float, int]] = []
        for point in points:
            x = scale(float(point[0] or 0))
            layer = _layer(taken, x)
            taken.append((x, layer))
            parts.append(_dot(x, y + ROW / 2 + layer * RADIUS, point[1]))
    parts.append(_text(LABELS + 8, 16, low) + _text(WIDTH - 8, 16, high, end=True))
    return _svg(title, bottom + 4, parts)


def dependence(title: str, entries: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Markup:
    """How the contribution of a feature follows its value: the middle of each group of people, and most of them.

    Args:
        title: read aloud instead of the picture.
        entries: ``low``, ``middle`` and ``high`` in log-odds, in the order of the values.
        labels: the value of each entry in words.
    """
    height = 220
    if not entries:
        return _svg(title, height, [])
    limit = max(*(abs(float(entry[name])) for entry in entries for name in ("low", "high")), 0.01)
    step = (WIDTH - 70) / max(len(entries), 1)

    def y(value: float) -> float:
        return 100 - value / limit * 80

    parts = [
        f'<line class="axis" x1="50" y1="100" x2="{WIDTH - 8}" y2="100"/>',
        _text(46, 104, "0", end=True) + _text(46, 24, f"+{limit:.1f}", end=True),
        _text(46, 184, f"-{limit:.1f}", end=True),
    ]
    joined = []
    for place, (entry, label) in enumerate(zip(entries, labels, strict=True)):
        x = 62 + (place + 0.5) * step
        low, middle, high = (y(float(entry[name])) for name in ("low", "middle", "high"))
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}"/>')
        parts.append(f'<circle class="point" cx="{x:.1f}" cy="{middle:.1f}" r="4"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{escape(_short(label, 10))}</text>')
        if "value" in entry:
            joined.append(f"{x:.1f},{middle:.1f}")
    parts.append(f'<polyline class="line" points="{" ".join(joined)}"/>')
    return _svg(title, height, parts)


class _Scale:
    """Places values between the labels and the right edge."""

    def __init__(self, low: float, high: float) -> None:
        spread = (high - low) or 1.0
        self._low, self._unit = low - 0.05 * spread, (WIDTH - LABELS - 24) / (1.1 * spread)

    def __call__(self, value: float) -> float:
        return LABELS + 8 + (value - self._low) * self._unit


def _layer(taken: Sequence[tuple[float, int]], x: float) -> int:
    """The nearest layer, from the middle outwards, in which a dot at x covers no other one."""
    near = {layer for other, layer in taken if abs(other - x) < 2 * RADIUS}
    for size in range(4):
        for layer in (size, -size):
            if layer not in near:
                return layer
    return 0


def _dot(x: float, y: float, place: float | None) -> str:
    if place is None:
        return f'<path class="grid" d="M{x - 3:.1f} {y - 3:.1f}l6 6m0-6l-6 6"/>'
    third = 1 / 3
    if place < third:
        return f'<circle class="line" cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS - 1:g}"/>'
    radius = RADIUS / 2 if place < 2 * third else RADIUS
    return f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'


def _edge_row(row: int, label: str, x: float) -> str:
    y = _top(row)
    return _label(label, y) + f'<circle class="point" cx="{x:.1f}" cy="{y + 14:.0f}" r="5"/>'


def _top(row: int) -> float:
    return HEAD + row * ROW


def _label(text: str, top: float) -> str:
    return f'<text x="0" y="{top + 18:.0f}">{escape(_short(text, LONGEST_LABEL))}</text>'


def _text(x: float, y: float, text: str, *, end: bool = False) -> str:
    anchor = ' text-anchor="end"' if end else ""
    return f'<text x="{x:.1f}" y="{y:.0f}"{anchor}>{escape(text)}</text>'


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _svg(title: str, height: float, parts: Sequence[str]) -> Markup:
    # Everything that is not drawn here was escaped above.
    head = f'<svg class="chart" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
    return Markup(head + "".join(parts) + "</svg>")  # noqa: S704
