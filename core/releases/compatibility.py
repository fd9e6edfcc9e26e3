"""Whether two versions can run on one schema: beside each other while a roll-out lasts, and after a roll-back.

A release only adds, so the code of the release before runs on the schema of the next one. A script that takes something
away says how old the code may be that runs after it: ``OLDEST_CODE`` is the newest revision of its tree that this code
has. The lint of migrations wants it there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from core.database.scripts import revisions, tree
from core.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TREES: Final = ("platform", "node", "tenant")
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a release says of itself.

    Attributes:
        version: of the application.
        heads: newest revision of each tree of migrations.
    """

    version: str
    heads: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """A script between the two versions.

    Attributes:
        oldest_code: the newest revision that the oldest code must have which runs after it; None if it only adds.
        survived: whether the older version runs after it.
    """

    tree: str
    revision: str
    oldest_code: str | None
    survived: bool


@dataclass(frozen=True, slots=True)
class Compatibility:
    """What follows for a roll-out from the other version to this one.

    Attributes:
        steps: the scripts that `iit migrate` runs.
        unknown: trees whose newest revision of the other version this version does not have: it is older, or of
            another line.
    """

    other: Manifest
    own: Manifest
    steps: tuple[Step, ...]
    unknown: tuple[str, ...]

    @property
    def can_roll_back(self) -> bool:
        """Whether the other version runs on the schema of this one, during the roll-out and after a roll-back."""
        return not self.unknown and all(step.survived for step in self.steps)


def present() -> Manifest:
    """Return what this version says of itself."""
    return Manifest(version("iit-platform"), {name: revisions(name)[-1] for name in TREES})


def as_json(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest as a file has it."""
    return {"format": FORMAT, "version": manifest.version, "heads": dict(manifest.heads)}


def read(path: Path) -> Manifest:
    """Return the manifest in a file that `iit release describe` wrote.

    Raises:
        Invalid: it is none.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        of_format = {FORMAT: stored}[stored["format"]]
        return Manifest(str(of_format["version"]), {name: str(of_format["heads"][name]) for name in TREES})
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = "is not a description of a release of this format"
        wrong = FieldError("file", problem, command="write it with the other version: iit release describe")
        detail = "the other version is not known"
        raise Invalid(detail, errors=[wrong]) from error


def compare(other: Manifest) -> Compatibility:
    """Return what a roll-out from another version to this one brings."""
    steps: list[Step] = []
    unknown = []
    for name in TREES:
        known = revisions(name)
        head = other.heads[name]
        if head not in known:
            unknown.append(name)
            continue
        for revision in known[known.index(head) + 1 :]:
            oldest = _oldest_code(name, revision)
            steps.append(Step(name, revision, oldest, survived=oldest is None or oldest <= head))
    return Compatibility(other, present(), tuple(steps), tuple(unknown))


def _oldest_code(name: str, revision: str) -> str | None:
    script = tree(name).get_revision(revision)
    stated = getattr(script.module, "OLDEST_CODE", None)
    return None if stated is None else str(stated)
