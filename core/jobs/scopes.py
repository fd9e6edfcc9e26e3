"""Which jobs an operator's pause or limit concerns: those of a tenant, of a kind, or of a kind of a tenant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from core.audit.platform import record_act
from core.errors import FieldError, Invalid, phrase
from core.errors.nearest import remedy_for
from core.jobs.bounds import PLATFORM_ID
from core.jobs.registry import kinds

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

    from core.database import TenantRef

LONGEST_REASON: Final = 200
ALL: Final = "*"


@dataclass(frozen=True, slots=True)
class JobScope:
    """Jobs that a pause or a limit concerns.

    Attributes:
        tenant: only jobs of this tenant; None for all tenants, or with ``platform``.
        kind: only jobs of this kind; None for all kinds.
        platform: only jobs of the platform itself.
    """

    tenant: TenantRef | None = None
    kind: str | None = None
    platform: bool = False

    @property
    def tenant_id(self) -> UUID | None:
        """Return the ``tenant_id`` of the jobs' rows; None if they belong to any tenant."""
        if self.platform:
            return PLATFORM_ID
        return None if self.tenant is None else self.tenant.id

    @property
    def target(self) -> str:
        """Return the scope in one text, by which the tables know it."""
        return f"{self.tenant_id or ALL}/{self.kind or ALL}"

    def record(self, session: Session, action: str, *, actor: str, **detail: object) -> None:
        """Record an operator's act on these jobs in the platform's audit."""
        tenant_id = None if self.tenant is None else self.tenant.id
        record_act(session, action, actor=actor, tenant_id=tenant_id, detail={"target": self.target, **detail})

    def check(self) -> None:
        """Check that the scope names something, and that there is such a kind.

        Raises:
            Invalid: it names neither a tenant nor a kind, or an unknown kind.
        """
        if self.tenant_id is None and self.kind is None:
            remedy = "Name a partner, a kind of jobs, or both."
            raise Invalid("the jobs are not named", errors=[FieldError("kind", "is missing", remedy)])
        known = kinds()
        if self.kind is not None and self.kind not in known:
            error = FieldError("kind", "is not a kind of job", remedy_for(self.kind, known))
            raise Invalid("there is no such kind of job", errors=[error])


def checked_reason(reason: str) -> str:
    """Return the reason of an operator without blanks around it.

    Raises:
        Invalid: there is none, or it is too long.
    """
    why = reason.strip()
    if not why or len(why) > LONGEST_REASON:
        problem = phrase("is longer than {most} characters", most=LONGEST_REASON) if why else "is missing"
        remedy = "Say why, for the other operators; name no person."
        raise Invalid("the reason is not valid", errors=[FieldError("reason", problem, remedy)])
    return why
