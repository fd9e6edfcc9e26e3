"""Writes what follows from other files into the chart: ``python helm/generate.py``. A test fails if it is out of date.

- In ``values.schema.json``: the application's settings. The chart takes every setting without a secret under
  ``settings``, but those that it sets itself, and the names of those with secrets in ``secrets``.
- In ``README.md``: the table of values, from the comments of ``values.yaml``.
- ``files/rules.yaml`` and ``files/dashboards/``: what ``helm/watch`` declares.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.settings.model import Settings, environment_name
from helm.watch.boards import DASHBOARDS
from helm.watch.rules import groups

CHART = Path(__file__).with_name("iit")
SCHEMA, README, VALUES = CHART / "values.schema.json", CHART / "README.md", CHART / "values.yaml"
RULES, BOARDS = CHART / "files" / "rules.yaml", CHART / "files" / "dashboards"
BEGIN, END = "<!-- values -->\n", "<!-- end of values -->\n"
SECRET_WITHOUT_TYPE = ("data_databases",)
"""Settings whose values hold passwords in fields of their own."""

OWNER = ("database_owner_url", "data_databases")
"""Settings with the login of the tables' owner."""

SET_BY_CHART = (
    "environment",
    "log_format",
    "state_dir",
    "scratch_dir",
    "backup_dir",
    "blob_url",
    "services_fsync",
    "host",
    "port",
    "public_url",
    "hosts",
    "proxies",
    "https_only",
    "drain_seconds",
    "jobs_threads",
    "jobs_grace_seconds",
    "metrics_host",
    "metrics_port",
)
"""Settings that follow from other values of the chart, or concern the embedded servers."""

LONGEST = 60
"""Characters of a default that the table shows."""

_KEYWORDS = ("type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "maxLength", "pattern")


def secret_fields() -> list[str]:
    """Return the fields of the settings that hold secrets."""
    return [
        name
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation) or name in SECRET_WITHOUT_TYPE
    ]


def definitions() -> dict[str, Any]:
    """Return the three definitions of the schema that follow from the settings."""
    described = Settings.model_json_schema(by_alias=False)["properties"]
    secrets = secret_fields()
    plain = [name for name in Settings.model_fields if name not in secrets and name not in SET_BY_CHART]
    return {
        "settings": {
            "type": "object",
            "additionalProperties": False,
            "properties": {environment_name(name): _property(described[name]) for name in sorted(plain)},
        },
        "appSecret": {
            "enum": sorted(environment_name(name) for name in secrets if name != "database_owner_url"),
        },
        "ownerSecret": {"enum": sorted(environment_name(name) for name in OWNER)},
    }


def _property(described: dict[str, Any]) -> dict[str, Any]:
    inner = next((each for each in described.get("anyOf", ()) if each.get("type") != "null"), described)
    own = {key: inner[key] for key in _KEYWORDS if key in inner}
    if inner.get("format") == "duration":
        own = {"type": "number", "minimum": 0}
    return {"description": described["description"], **own}


def schema_text() -> str:
    """Return the text of the schema with the settings as they are now."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    schema["definitions"] |= definitions()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def readme_text() -> str:
    """Return the text of the README with the table of values as they are now."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    rows = ["| value | default | meaning |", "|---|---|---|", *_rows(yaml.compose(VALUES.read_text(encoding="utf-8")))]
    return before + BEGIN + "\n".join(rows) + "\n" + END + after


def _rows(node: yaml.Node, prefix: str = "") -> list[str]:
    rows = []
    for key, value in node.value:
        path, meaning = f"{prefix}{key.value}", _comment(key.start_mark.line)
        nested = isinstance(value, yaml.MappingNode) and bool(value.value)
        if not nested or value.flow_style:
            default = json.dumps(yaml.safe_load(yaml.serialize(value)))
            rows.append(f"| `{path}` | {_shown(default)} | {meaning} |")
            continue
        if meaning:
            rows.append(f"| **{path}** | | {meaning} |")
        rows += _rows(value, f"{path}.")
    return rows


def _shown(default: str) -> str:
    return "" if default in ('""', "[]", "{}") else f"`{default}`" if len(default) <= LONGEST else "see `values.yaml`"


def _comment(line: int) -> str:
    """Return the comment on the lines above a line of the values."""
    lines = VALUES.read_text(encoding="utf-8").splitlines()
    comment: list[str] = []
    while line and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        comment.insert(0, lines[line].lstrip("# "))
    return " ".join(comment).replace("|", "\\|")


def rules_text() -> str:
    """Return the text of the rules of Prometheus."""
    head = "# Written by helm/generate.py from helm/watch. @runbooks@ stands for the address of the runbooks.\n"
    return head + yaml.safe_dump({"groups": groups()}, sort_keys=False, width=1000)


def dashboard_texts() -> dict[Path, str]:
    """Return the texts of the dashboards of Grafana by their files."""
    return {
        BOARDS / f"{each.uid}.json": json.dumps(each.json(), indent=1, ensure_ascii=False) + "\n" for each in DASHBOARDS
    }


if __name__ == "__main__":
    BOARDS.mkdir(exist_ok=True)
    RULES.write_text(rules_text(), encoding="utf-8")
    for file, text in dashboard_texts().items():
        file.write_text(text, encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    README.write_text(readme_text(), encoding="utf-8")
