"""The table of mutants, ``mutants.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
_TABLE: Final = Path(__file__).with_name("mutants.toml")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change that removes a mechanism.

    Attributes:
        area: such as ``jobs``.
        mechanism: what the change removes.
        file: the file that it changes, from the root of the project.
        text: what it replaces; the file has it once.
        replacement: what it puts there.
        test: the test that must fail, from the folder ``tests``.
    """

    area: str
    mechanism: str
    file: str
    text: str
    replacement: str
    test: str

    def applied(self, source: str) -> str:
        """Return the file's text with the change.

        Raises:
            ValueError: the file does not have the text once.
        """
        if source.count(self.text) != 1:
            message = f"{self.file} has the text of {self.mechanism!r} {source.count(self.text)} times, not once"
            raise ValueError(message)
        return source.replace(self.text, self.replacement)


def mutants() -> list[Mutant]:
    """Return all mutants, in the order of the table."""
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return [Mutant(area, **each) for area, rows in table.items() for each in rows]
