"""Writes ``docs/reference/tenant-settings.md`` from the models themselves.

``python -m core.preferences.reference`` rewrites the page; a test keeps it equal.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from core.preferences.registry import groups
from core.settings import CHECKOUT

if TYPE_CHECKING:
    from core.preferences.registry import Group

FILE = CHECKOUT / "docs/reference/tenant-settings.md"

_HEAD = """\
# Settings of a tenant

Generated from the models in the code: `python -m core.preferences.reference`; a test keeps both equal. Settings of the
installation are in `settings.example.env`.

Each room of the platform has a group of settings. A setting that the tenant has not set follows its default, also when
a later release brings a better one. Every change is in the audit as `settings:group:change`, with the names of the
changed settings.

## By command

```
iit settings list my-programme
iit settings show my-programme risk
iit settings set my-programme risk.capacity_share 0.2
iit settings set my-programme cohort.rule '{"kind": "fixed", "days": 60}'
iit settings reset my-programme risk.capacity_share
iit settings reset my-programme cohort
```

A value is read as JSON where it is JSON, and as text otherwise. Each command takes `--json`.

## By API

| request | answer |
|---|---|
| `GET /v1/settings` | every group: `value`, `default`, `set_names`, `changed_at`, `changed_by` |
| `GET /v1/settings/{group}` | one group, with the JSON `schema` of its value, and its ETag |
| `PUT /v1/settings/{group}` | sets the whole group; what is left out goes back to its default |
| `PATCH /v1/settings/{group}` | sets what is given; `null` resets a setting |

`PUT` and `PATCH` take the ETag in `If-Match`. They need the permission `settings.write`, and the group's own.
"""


def page() -> str:
    """The text of the whole page."""
    return "\n".join([_HEAD, *(_section(group) for group in groups().values())])


def _section(group: Group) -> str:
    defaults = group.model().model_dump(mode="json")
    lines = [
        f"## `{group.name}`",
        "",
        f"{group.title} Changing it takes `settings.write` and `{group.permission}`.",
        "",
        "| setting | default | takes | meaning |",
        "|---|---|---|---|",
    ]
    for name, model, field in group.leaves():
        value: Any = defaults
        for part in name.split("."):
            value = value[part]
        schema = model.model_json_schema()
        takes = _takes(schema["properties"][name.rpartition(".")[2]], schema.get("$defs", {}))
        meaning = " ".join((field.description or "").split())
        lines.append(f"| `{group.name}.{name}` | `{_shown(value)}` | {takes} | {meaning} |")
    return "\n".join([*lines, ""])


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _takes(schema: dict[str, Any], shared: dict[str, Any]) -> str:
    """Return the allowed values of a setting, in words."""
    if "$ref" in schema:
        schema = shared[schema["$ref"].rpartition("/")[2]]
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return "; or ".join(_takes(one, shared) for one in schema[several])
    if "const" in schema or "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if "properties" in schema:
        inner = ", ".join(f"`{name}`: {_takes(part, shared)}" for name, part in schema["properties"].items())
        return f"an object of {inner}"
    if "items" in schema:
        return f"a list, each {_takes(schema['items'], shared)}"
    return _KINDS.get(schema.get("type", ""), "any value") + _bounds(schema)


_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "`true` or `false`",
    "null": "`null`",
}


def _bounds(schema: dict[str, Any]) -> str:
    least = [f"from {schema['minimum']:,}"] if "minimum" in schema else []
    least += [f"above {schema['exclusiveMinimum']:,}"] if "exclusiveMinimum" in schema else []
    most = [f"to {schema['maximum']:,}"] if "maximum" in schema else []
    most += [f"below {schema['exclusiveMaximum']:,}"] if "exclusiveMaximum" in schema else []
    return "".join(f" {bound}" for bound in least + most)


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
