"""Who changes the configuration of single sign-on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes the configuration, and by what.

    Attributes:
        source: ``api``, ``page`` or ``cli``, as audit actions begin.
        permissions: of the author; None for an operator at the command line.
    """

    actor: str
    source: str = "api"
    permissions: Collection[str] | None = None
