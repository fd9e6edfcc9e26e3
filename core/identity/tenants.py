"""The tenant of a verified credential of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.errors import Forbidden

if TYPE_CHECKING:
    from core.identity.principal import CredentialOwner

USABLE: Final = "t.state = 'active' AND t.phase IS NULL"
"""The condition in SQL that the tenant ``t`` may be used: active, and neither being restored nor deleted."""

JOINED: Final = "m.accepted_at IS NOT NULL AND m.deactivated_at IS NULL"
"""The condition in SQL that the membership ``m`` permits something: accepted, and not deactivated by the tenant."""


class TenantInactive(Forbidden):
    """The credential is valid, and its tenant may not be used now.

    Attributes:
        owner: the signed-in person, without any permission; None for API keys. The person may still end sessions, and
            go to another tenant.
    """

    owner: CredentialOwner | None = None


def reject_inactive(state: str, owner: CredentialOwner | None = None) -> None:
    """Reject a credential unless its tenant is active.

    Args:
        state: of the tenant.
        owner: see ``TenantInactive``.

    Raises:
        TenantInactive: the tenant is suspended, restored, or being deleted (403).
    """
    if state == "active":
        return
    detail, remedy = "the tenant's access is suspended", "Ask the operator of this installation to resume it."
    if state in ("deleting", "purging"):
        detail = "the tenant is being deleted from this installation"
        remedy = "Ask its operator soon: the deletion can be cancelled until the grace period ends."
    error = TenantInactive(detail, remedy=remedy)
    error.owner = owner
    raise error
