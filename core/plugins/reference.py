"""Writes docs/reference/plugins.md from the hooks and the protocols: ``python -m core.plugins.reference``."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Final

from core.plugins.kinds import KINDS
from core.settings import CHECKOUT
from plugins.sdk import ENTRY_POINT_GROUP, SPEC_VERSION, FittedModel, ModelPlugin, hooks

FILE: Final = CHECKOUT / "docs" / "reference" / "plugins.md"
_HEAD: Final = """# Hooks and protocols of plugins

Generated from the SDK: `python -m core.plugins.reference`; a test keeps both equal.

Version {version} of the hooks. A plugin is a module that an entry point of the group `{group}` names.
It states `IIT_SDK = {major}`, and implements hooks under `hookimpl`.
"""


def page() -> str:
    """Return the page."""
    version = ".".join(map(str, SPEC_VERSION))
    parts = [_HEAD.format(version=version, group=ENTRY_POINT_GROUP, major=SPEC_VERSION[0]), "## Hooks\n"]
    names = [name for name in vars(hooks) if name.startswith("iit_")]
    parts += [_signature(name, getattr(hooks, name)) for name in names]
    protocols: list[tuple[str, type]] = [("model", ModelPlugin), ("fitted model", FittedModel)]
    protocols += [(kind.name, kind.protocol) for kind in KINDS.values()]
    for title, protocol in protocols:
        parts.append(f"## {protocol.__name__} ({title})\n\n{_text(protocol)}\n")
        for name, member in vars(protocol).items():
            if isinstance(member, property):
                kind = inspect.signature(member.fget).return_annotation  # type: ignore[arg-type]  # each has a getter
                parts.append(f"### `{name}: {kind}`\n\n{_text(member)}\n")
            elif inspect.isfunction(member) and not name.startswith("_"):
                parts.append(_signature(name, member))
    return "\n".join(parts)


def _signature(name: str, function: object) -> str:
    signature = str(inspect.signature(function)).replace("'", "")  # type: ignore[arg-type]  # hooks and methods
    return f"### `{name}{signature}`\n\n{_text(function)}\n"


def _text(documented: object) -> str:
    """Return the docstring as Markdown; its lists of arguments as lists."""
    lines = (inspect.getdoc(documented) or "").replace("``", "`").replace(":meth:", "").splitlines()
    return "\n".join(_line(line) for line in lines)


def _line(line: str) -> str:
    text = line.strip()
    if text in {"Args:", "Raises:", "Attributes:", "Returns:"}:
        return f"{text}\n"
    return f"  {text}" if line.startswith("        ") else f"- {text}" if line.startswith("    ") else text


if __name__ == "__main__":
    Path(FILE).write_text(page())
