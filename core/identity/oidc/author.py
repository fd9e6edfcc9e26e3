"""The author of a change to the configuration of single sign-on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class Author:
    """The author of a change to the configuration, and by what they made it.

    Attributes:
        source: ``api``, ``page`` or ``cli``, as audit actions begin.
        permissions: of the author; None for an operator at the command line.
    """

    actor: str
    source: str = "api"
    permissions: Collection[str] | None = None
