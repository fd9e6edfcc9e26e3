"""The rule for subjects of commits: they fit on one line of a log."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LONGEST = 72
AFTER = "a3517ef29406b391becb4528166a2b0226fb1352"
"""The last commit before the rule."""


def subjects(tree: Path, after: str = AFTER) -> list[str]:
    """The subjects of the commits after ``after``, merges left out.

    A shallow clone that lacks ``after`` gives its newest commit only. A tree without a repository gives none.
    """
    if _git(tree, "rev-parse", "--show-prefix") != "\n":
        return []
    known = _git(tree, "cat-file", "-t", after) == "commit\n"
    commits = [f"{after}..HEAD"] if known else ["--max-count=1", "HEAD"]
    return _git(tree, "log", "--no-merges", "--format=%s", *commits).splitlines()


def too_long(subjects: Iterable[str]) -> Iterator[str]:
    """One line for each subject that is too long."""
    for subject in subjects:
        if len(subject) > LONGEST:
            yield f"{len(subject)} characters in '{subject}': keep to {LONGEST}, say the rest in the body"


def _git(tree: Path, *arguments: str) -> str:
    """What ``git`` prints, or nothing where it fails."""
    return subprocess.run(["git", *arguments], cwd=tree, capture_output=True, text=True, check=False).stdout
