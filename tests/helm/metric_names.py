"""The metrics that the code declares, read out of it: their names, kinds, labels, and bounds."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache

from core.settings import CHECKOUT

KINDS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram"}
ROOMS = ("core", "tenants", "billing", "plugins")


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as Prometheus has it, without the endings of a histogram."""

    name: str
    kind: str
    labels: frozenset[str]

    def series(self) -> set[str]:
        """The names of its series."""
        endings = ("_bucket", "_sum", "_count") if self.kind == "histogram" else ("",)
        return {self.name + ending for ending in endings}


@cache
def metrics() -> dict[str, Metric]:
    """Every metric of the code, by the name of its series."""
    every = {}
    for room in ROOMS:
        for path in sorted((CHECKOUT / room).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if '"iit_' in text and "core/metrics/" not in path.as_posix():
                for metric in _declared(ast.parse(text)):
                    every.update(dict.fromkeys(metric.series(), metric))
    return every


def _declared(tree: ast.AST) -> list[Metric]:
    declared = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        name = node.args[0]
        if not (isinstance(name, ast.Constant) and str(name.value).startswith("iit_")):
            continue
        if node.func.id in KINDS:
            declared.append(Metric(str(name.value), KINDS[node.func.id], _labels(node, 2)))
        elif node.func.id == "Reading":
            kind = str(ast.literal_eval(node.args[2]))
            declared.append(
                Metric(f"{name.value}_total" if kind == "counter" else str(name.value), kind, _labels(node, 3))
            )
    return declared


def _labels(call: ast.Call, place: int) -> frozenset[str]:
    labels = call.args[place] if len(call.args) > place else None
    labels = next((each.value for each in call.keywords if each.arg == "labels"), labels)
    return frozenset() if labels is None else frozenset(ast.literal_eval(labels))
