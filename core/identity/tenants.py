"""The tenant of a verified credential of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.database import TenantRef
from core.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Mapping


def tenant_of(row: Mapping[str, Any]) -> TenantRef:
    """The tenant in a row of a look-up that joins ``platform.tenants``."""
    return TenantRef(
        id=row["id"],
        slug=row["slug"],
        name=row["name"],
        schema_name=row["schema_name"],
        role_name=row["role_name"],
        database=row["database"],
        state=row["state"],
        time_zone=row["time_zone"],
    )


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
