"""The end of a job, as announced to its room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.errors import phrase

if TYPE_CHECKING:
    from uuid import UUID

Decision = Literal["given_up", "discarded", "retried", "cancelled"]

ITS_JOB = "its job was"
"""How the problem of each stopped job begins."""
_WHY = {
    "attempts": phrase("it failed too often"),
    "interruptions": phrase("its process died, or it took too long, too often"),
    "refused": phrase("another try cannot succeed"),
    "deadline": phrase("it had not ended by its deadline"),
}


@dataclass(frozen=True, slots=True)
class JobEnd:
    """A job that became a dead letter or was cancelled, or about which an operator decided.

    Attributes:
        decision: ``given_up``: no worker tries it again; ``discarded``: an operator gave it up for good; ``retried``:
            an operator queued it again; ``cancelled``: somebody cancelled it before its end.
        reason: of ``given_up``: ``attempts``, ``interruptions``, ``refused`` (another try cannot succeed) or
            ``deadline``; otherwise empty.
        error: kind and place of the last error, without its values.
    """

    decision: Decision
    job_id: UUID
    kind: str
    payload: dict[str, Any]
    reason: str
    error: str | None

    @property
    def stalled(self) -> bool:
        """Return whether no worker continues the job until somebody requests it again."""
        return self.decision != "retried"

    @property
    def problem(self) -> str:
        """The problem that stops the work, in words for the person who requested it; empty after a retry."""
        if self.decision == "retried":
            return ""
        if self.decision == "discarded":
            return phrase("its job was discarded by an operator")
        if self.decision == "cancelled":
            return phrase("its job was cancelled")
        if self.error and self.reason not in {"interruptions", "deadline"}:
            return phrase("its job was given up: {why} ({error})", why=_WHY[self.reason], error=self.error)
        return phrase("its job was given up: {why}", why=_WHY[self.reason])
