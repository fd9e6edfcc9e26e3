"""Retired phrases: wording that readers stumbled over, and a count per folder that may only fall.

``retired_phrases.txt`` lists the phrases, ``words_left.json`` the folders that still have some. After you mend some,
run ``python -m tests.architecture.words``: it lowers the counts and never raises one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.architecture import lints

PHRASES = Path(__file__).with_name("retired_phrases.txt")
LEFT = Path(__file__).with_name("words_left.json")


def phrases() -> dict[str, str]:
    """Each retired phrase, with what to write."""
    lines = PHRASES.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(" -> ") for line in lines if line and not line.startswith("#"))
    return dict(pairs)


def retired(path: str, text: str) -> Iterator[str]:
    """The retired phrases of a text, also where a line or a comment breaks in the middle of one."""
    for phrase, instead in phrases().items():
        pattern = r"[\s#]+".join(map(re.escape, phrase.split()))
        for match in re.finditer(rf"\b{pattern}\b", text, re.IGNORECASE):
            number = text.count("\n", 0, match.start()) + 1
            yield f"{path}:{number}: '{phrase}' is retired: write '{instead}'"


def folder(path: str) -> str:
    """The folder that a file counts for: its first two levels, or the file itself at the top."""
    return "/".join(path.split("/")[:-1][:2]) or path


def breaches() -> dict[str, list[str]]:
    """The retired phrases of the project, by folder."""
    by_folder: dict[str, list[str]] = {}
    for path, text in lints.texts(".py", ".md", ".html", ".toml"):
        for breach in retired(path, text):
            by_folder.setdefault(folder(path), []).append(breach)
    return by_folder


def allowed() -> dict[str, int]:
    """How many retired phrases a folder may still have."""
    return {str(name): int(count) for name, count in json.loads(LEFT.read_text(encoding="utf-8")).items()}


def excess(by_folder: Mapping[str, list[str]], limits: Mapping[str, int]) -> list[str]:
    """The phrases of each folder that has more than its limit."""
    return [line for name, lines in by_folder.items() if len(lines) > limits.get(name, 0) for line in lines]


if __name__ == "__main__":
    counts = Counter({name: len(lines) for name, lines in breaches().items()})
    lowered = {name: min(limit, counts[name]) for name, limit in sorted(allowed().items()) if counts[name]}
    LEFT.write_text(json.dumps(lowered, indent=2) + "\n", encoding="utf-8")
