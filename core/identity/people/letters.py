"""The job that sends a letter to a person about their account."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from core.database import TenantRef, TenantSession


class Delivery(Protocol):
    """The job that delivers an event, as ``core.jobs`` gives it to subscribers."""

    tenant: TenantRef

    def session(self) -> AbstractContextManager[TenantSession]:
        """Open a step of the job."""

    def finish(self, session: TenantSession) -> None:
        """Mark the delivery done in this step."""
