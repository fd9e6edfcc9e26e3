"""Ratchets: how many breaches of a rule each folder may still have, a number that may only fall."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ratchet:
    """The limits of one rule, kept in a JSON file of folders and numbers."""

    file: Path

    def limits(self) -> dict[str, int]:
        """How many breaches each folder may still have."""
        return {str(name): int(count) for name, count in json.loads(self.file.read_text(encoding="utf-8")).items()}

    def excess(self, breaches: Mapping[str, list[str]]) -> list[str]:
        """The breaches of each folder that has more than its limit."""
        limits = self.limits()
        return [line for name, lines in breaches.items() if len(lines) > limits.get(name, 0) for line in lines]

    def lower(self, breaches: Mapping[str, list[str]]) -> None:
        """Set each limit to the number of breaches that are left; never raise one."""
        left = {name: len(lines) for name, lines in breaches.items()}
        lowered = {name: min(limit, left[name]) for name, limit in sorted(self.limits().items()) if left.get(name)}
        self.file.write_text(json.dumps(lowered, indent=2) + "\n", encoding="utf-8")


def folder(path: str) -> str:
    """The folder that a file counts for: its first two levels, or the file itself at the top."""
    return "/".join(path.split("/")[:-1][:2]) or path


def by_folder(breaches: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Group breaches, each given with its file, by folder."""
    grouped: dict[str, list[str]] = {}
    for path, line in breaches:
        grouped.setdefault(folder(path), []).append(line)
    return grouped
