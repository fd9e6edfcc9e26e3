"""The declaration of a flag: what it switches, who answers for it, and until when it may exist."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

from core.errors import NotFound
from core.feature_registry import declared, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,29}\.[a-z][a-z0-9_]{1,39}")

Kind = Literal["release", "experiment", "operational", "permission"]
"""What a flag is for: Unleash's types of flags. Flags for a release or an experiment expire."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that the code asks for. A feature names it under ``flags``.

    Attributes:
        name: ``room.thing``, unique among all rooms.
        about: what is different while it is on, in one line; operators read it.
        owner: the room that answers for it.
        default: whether it is on while nobody has set it, and while its definition cannot be read.
        kind: what it is for.
        expires_on: the day from which it is reported as stale; None for switches that stay.
        variants: names that the code knows; the first is in force while it is off.

    Raises:
        ValueError: the name is none, or a flag that must expire does not.
    """

    name: str
    about: str
    owner: str
    default: bool = False
    kind: Kind = "release"
    expires_on: date | None = None
    variants: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            message = f"{self.name!r} is not the name of a flag: write room.thing, in lower-case letters, digits and _"
            raise ValueError(message)
        if (self.expires_on is None) == (self.kind in ("release", "experiment")):
            message = f"{self.name}: flags for a release or an experiment expire, others do not"
            raise ValueError(message)

    def is_stale(self, day: date) -> bool:
        """Return whether the flag should be gone from the code by this day."""
        return self.expires_on is not None and day >= self.expires_on


@cache
def flags() -> Mapping[str, Flag]:
    """Return the flags of all installed features, by name.

    Raises:
        RuntimeError: two have one name.
    """
    return declared("flag", lambda feature: ((each.name, each) for each in map(resolve, feature.flags)))


def find_flag(name: str) -> Flag:
    """Return a declared flag.

    Raises:
        NotFound: no feature declares it.
    """
    flag = flags().get(name)
    if flag is None:
        detail = "no feature declares a flag of this name"
        raise NotFound(detail, remedy="See GET /v1/operators/flags.", command="see `iit flag list`")
    return flag
