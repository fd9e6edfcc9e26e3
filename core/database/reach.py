"""The facilities and patients of a tenant that a session serves. The rooms' queries limit themselves to these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Reach:
    """What a session serves: the facilities and patients that satisfy every member.

    Attributes:
        facility_ids: only these facilities; None for any.
        states: only facilities in these states; None for any.
        assigned_to: only the patients who are assigned to this person; None for any.
    """

    facility_ids: frozenset[UUID] | None = None
    states: frozenset[str] | None = None
    assigned_to: UUID | None = None

    @property
    def everything(self) -> bool:
        """Return whether the session serves the whole tenant."""
        return self.facility_ids is None and self.states is None and self.assigned_to is None


WHOLE_TENANT = Reach()
