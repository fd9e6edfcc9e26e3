"""The facilities of a tenant that a session serves. The rooms' queries limit themselves to these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Reach:
    """The facilities that a session serves: those that satisfy both members.

    Attributes:
        facility_ids: only these; None for any.
        states: only those in these states; None for any.
    """

    facility_ids: frozenset[UUID] | None = None
    states: frozenset[str] | None = None

    @property
    def everything(self) -> bool:
        """Return whether the session serves the whole tenant."""
        return self.facility_ids is None and self.states is None


WHOLE_TENANT = Reach()
