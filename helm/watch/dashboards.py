"""Dashboards of Grafana. Each is a list of rows of panels; ``generate.py`` writes them as JSON into the chart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from helm.watch.objectives import OBJECTIVES, WINDOW
from helm.watch.rules import recorded

WIDTH: Final = 24
"""Columns of Grafana's grid."""
_HEIGHT: Final = 8
_LOW: Final = 4
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def of(metric: str, labels: str = "") -> str:
    """Return PromQL of a metric of the installation that is chosen above the dashboard."""
    chosen = 'namespace=~"$namespace"'
    return f"{metric}{{{chosen}{',' if labels else ''}{labels}}}"


def rate(metric: str, labels: str = "", by: str = "") -> str:
    """Return PromQL of how often something happens in a second, by a label or in all."""
    total = f"sum by ({by}) " if by else "sum "
    return f"{total}(rate({of(metric, labels)}[$__rate_interval]))"


def quantile(share: float, metric: str, labels: str = "", by: str = "") -> str:
    """Return PromQL of the seconds within which a share of what a histogram counts stayed."""
    grouped = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, sum by ({grouped}) (rate({of(metric + '_bucket', labels)}[$__rate_interval])))"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: what it shows.
        queries: PromQL, with the legend of its series; ``{{label}}`` in a legend is the label's value.
        unit: Grafana's name of the unit.
        kind: ``timeseries``, ``stat`` or ``bargauge``.
        about: shown when one points at the title.
        red: the value from which a ``stat`` is red; below it, if ``falling``.
        falling: low values are the bad ones.
    """

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    about: str = ""
    red: float | None = None
    falling: bool = False

    def json(self, number: int, x: int, y: int, width: int, height: int) -> dict[str, Any]:
        """Return the panel as Grafana reads it, at a place of the grid."""
        defaults: dict[str, Any] = {"unit": self.unit}
        if self.red is not None:
            good, bad = ("red", "green") if self.falling else ("green", "red")
            defaults["thresholds"] = {
                "mode": "absolute",
                "steps": [{"color": good, "value": None}, {"color": bad, "value": self.red}],
            }
        instant = self.kind != "timeseries"
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": _SOURCE,
            "gridPos": {"x": x, "y": y, "w": width, "h": height},
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": {"reduceOptions": {"calcs": ["lastNotNull"]}} if instant else {"tooltip": {"mode": "multi"}},
            "targets": [
                {
                    "refId": chr(ord("A") + place),
                    "datasource": _SOURCE,
                    "expr": expr,
                    "legendFormat": legend,
                    "instant": instant,
                }
                for place, (expr, legend) in enumerate(self.queries)
            ],
        }


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard.

    Attributes:
        uid: by which links find it.
        rows: panels that stand side by side.
        tenant: whether a partner can be chosen above it.
    """

    uid: str
    title: str
    rows: tuple[tuple[Panel, ...], ...]
    tenant: bool = False
    tags: tuple[str, ...] = field(default=("iit",))

    def json(self) -> dict[str, Any]:
        """Return the dashboard as Grafana reads it."""
        panels: list[dict[str, Any]] = []
        y = 0
        for row in self.rows:
            height = _LOW if all(panel.kind == "stat" for panel in row) else _HEIGHT
            width = WIDTH // len(row)
            for place, panel in enumerate(row):
                panels.append(panel.json(len(panels) + 1, place * width, y, width, height))
            y += height
        variables = [_variable("namespace", "Installation", "label_values(iit_http_requests_total, namespace)")]
        if self.tenant:
            chosen = 'label_values(iit_usage_total{namespace=~"$namespace"}, tenant)'
            variables.append(_variable("tenant", "Partner", chosen))
        return {
            "uid": self.uid,
            "title": self.title,
            "tags": list(self.tags),
            "schemaVersion": 39,
            "editable": False,
            "refresh": "1m",
            "time": {"from": "now-24h", "to": "now"},
            "timezone": "browser",
            "links": [{"type": "dashboards", "tags": ["iit"], "title": "IIT", "asDropdown": True, "keepTime": True}],
            "templating": {
                "list": [
                    {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
                    *variables,
                ]
            },
            "panels": panels,
        }


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def budget_left() -> tuple[Panel, ...]:
    """Return a panel for each objective: the share of its budget of 30 days that is left."""
    return tuple(
        Panel(
            objective.name.capitalize(),
            ((f"clamp_min(1 - ({recorded(objective, WINDOW)}) / {1 - objective.target:.6g}, 0)", "left"),),
            "percentunit",
            "stat",
            f"What is left of the budget of 30 days. {objective.title}: {objective.target:.4g} of them.",
            red=0.25,
            falling=True,
        )
        for objective in OBJECTIVES
    )
