"""Stripe's form encoding: ``items[0][price]=x`` is a list of objects."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

_PART = re.compile(r"\[([^\]]*)\]")


def parse(text: str) -> dict[str, Any]:
    """Return the parameters, nested as their names say. Objects whose keys are 0, 1, ... become lists."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, parts = name.partition("[")[0], _PART.findall(name)
        place, key = tree, head
        for part in parts:
            place = place.setdefault(key, {})
            key = part or str(len(place))
        place[key] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(each) for name, each in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
