"""Who acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends a request, runs a command or a job, and what they may do.

    Attributes:
        kind: ``api_key``, ``cli`` or ``job``.
        id: which one, stable and impersonal: the id of the key, ``operator``, the id of the job.
        tenant_id: the tenant that the credential belongs to; None only for operators.
        permissions: names of the permissions it holds.
    """

    kind: str
    id: str
    tenant_id: UUID | None
    permissions: frozenset[str] = field(default_factory=frozenset)

    @property
    def actor(self) -> str:
        """How sessions, audit and logs name it: ``kind:id``."""
        return f"{self.kind}:{self.id}"
