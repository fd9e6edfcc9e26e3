"""Reads and replaces a tenant's origins, and says which tenants allow one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from core import audit
from core.clock import now
from core.database import lock_own, platform_session, psycopg_connection, tenant_session
from core.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from core.database import TenantRef

MOST: Final = 20
"""Origins of one tenant."""

ACTION: Final = "api:origins:change"
_FORM: Final = re.compile(r"https://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?|http://localhost(:[0-9]{1,5})?")


def list_origins(tenant_id: UUID) -> list[str]:
    """Return the tenant's origins, sorted."""
    with platform_session() as session:
        rows = session.execute(
            text("SELECT origin FROM platform.tenant_origins WHERE tenant_id = :tenant ORDER BY origin"),
            {"tenant": tenant_id},
        )
        return [row.origin for row in rows]


def replace_origins(tenant: TenantRef, origins: Sequence[str], *, actor: str, request_id: str | None) -> list[str]:
    """Replace the tenant's origins, and return them, sorted.

    Args:
        tenant: the tenant.
        origins: scheme, host and port of each.
        actor: who changes them.
        request_id: of the request.

    Raises:
        Invalid: an entry is not an origin with HTTPS (or of this machine, for trying), or there are too many.
    """
    wanted = sorted({origin.lower().rstrip("/") for origin in origins})
    errors = [
        FieldError(
            f"body.origins.{place}", "is not an origin", "Send scheme and host, such as https://forms.example.org."
        )
        for place, origin in enumerate(origins)
        if not _FORM.fullmatch(origin.lower().rstrip("/"))
    ]
    if len(wanted) > MOST:
        errors.append(FieldError("body.origins", "has too many entries", f"Send at most {MOST}."))
    if errors:
        detail = "the origins are not valid"
        raise Invalid(detail, errors=errors)
    with tenant_session(tenant, actor=actor, request_id=request_id) as own, platform_session() as session:
        lock_own(psycopg_connection(own).cursor(), "origins")  # a second change waits, or both lists would mix
        session.execute(text("DELETE FROM platform.tenant_origins WHERE tenant_id = :tenant"), {"tenant": tenant.id})
        if wanted:
            session.execute(
                text(
                    "INSERT INTO platform.tenant_origins (tenant_id, origin, created_at, created_by)"
                    " SELECT :tenant, unnest(CAST(:origins AS text[])), :now, :actor"
                ),
                {"tenant": tenant.id, "origins": wanted, "now": now(), "actor": actor},
            )
        audit.record(own, ACTION, "origins", None, {"origins": wanted})
    return wanted


def tenants_of(origin: str) -> frozenset[UUID]:
    """Return the tenants that allow an origin."""
    with platform_session() as session:
        rows = session.execute(
            text("SELECT tenant_id FROM platform.tenant_origins WHERE origin = :origin"), {"origin": origin}
        )
        return frozenset(row.tenant_id for row in rows)
