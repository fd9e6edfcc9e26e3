"""Writes ``settings.example.env``: the default and the purpose of every setting, read from the model.

Run ``python -m core.settings.example`` to rewrite the file; a test fails if it is out of date.
"""

from __future__ import annotations

import textwrap
from datetime import timedelta
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from core.settings.model import CHECKOUT, Settings, environment_name

FILE = CHECKOUT / "settings.example.env"

_HEAD = """\
# Every setting, its default, and what it is for. Generated from core/settings: python -m core.settings.example
#
# Copy it to settings.env and uncomment what you change; IIT_SETTINGS_FILE names a file elsewhere.
# Variables of the environment win over the file. With nothing set, private servers are started under .iit/.
"""


def render() -> str:
    """Return the text of the file."""
    parts = [_HEAD]
    own = [name for name in Settings.model_fields if name in Settings.__annotations__]
    inherited = [name for name in Settings.model_fields if name not in Settings.__annotations__]
    for name in (*own, *inherited):
        field = Settings.model_fields[name]
        comment = textwrap.wrap(field.description or "", width=116)
        choices = _choices(field)
        if choices:
            comment.append(f"One of: {', '.join(choices)}.")
        lines = [f"# {line}" for line in comment]
        parts.append("\n".join([*lines, f"#{environment_name(name)}={_default(field)}"]) + "\n")
    return "\n".join(parts)


def _choices(field: FieldInfo) -> tuple[str, ...]:
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def _default(field: FieldInfo) -> str:
    """Return the default as the file shows it; empty if there is none."""
    value = field.default
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, Path):
        return str(value.relative_to(CHECKOUT)) if value.is_relative_to(CHECKOUT) else str(value)
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
