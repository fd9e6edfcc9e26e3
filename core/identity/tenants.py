"""The tenant of a verified credential of any kind."""

from __future__ import annotations

from typing import Final

from core.errors import Forbidden

USABLE: Final = "t.state = 'active' AND t.phase IS NULL"
"""The condition in SQL that the tenant ``t`` may be used: active, and neither being restored nor deleted."""


def reject_inactive(state: str) -> None:
    """Reject a credential unless its tenant is active.

    Raises:
        Forbidden: the tenant is suspended, restored, or being deleted (403).
    """
    if state in ("deleting", "purging"):
        detail = "the tenant is being deleted from this installation"
        raise Forbidden(
            detail, remedy="Ask its operator soon: the deletion can be cancelled until the grace period ends."
        )
    if state != "active":
        detail = "the tenant's access is suspended"
        raise Forbidden(detail, remedy="Ask the operator of this installation to resume it.")
