"""Anchors: the head of each tenant's chain, stored in ``platform``, out of reach of the tenant and its backups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import platform_session, tenant_session
from core.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from core.database import TenantRef

_HEAD = "SELECT number, digest FROM audit_seals ORDER BY number DESC LIMIT 1"
_ANCHORS = text(
    "SELECT seal, digest, kind FROM platform.audit_anchors WHERE tenant_id = :tenant ORDER BY id"  # in order of time
)
_INSERT = text(
    "INSERT INTO platform.audit_anchors (id, tenant_id, seal, digest, kind, reason, anchored_by, anchored_at)"
    " VALUES (:id, :tenant, :seal, :digest, :kind, :reason, :actor, :now)"
)


def head(tenant: TenantRef) -> tuple[int, bytes] | None:
    """Return the number and digest of the tenant's last seal; None if there is no seal."""
    with tenant_session(tenant, actor="system:sealer", readonly=True) as session, session.cursor() as cursor:
        row = cursor.execute(_HEAD).fetchone()
    return (row[0], bytes(row[1])) if row else None


def standing(tenant_id: UUID) -> dict[int, bytes]:
    """The valid anchors: seal -> digest. An anchor beyond a seal to which the chain was reset is no longer valid."""
    anchored: dict[int, bytes] = {}
    with platform_session() as session:
        for seal, digest, kind in session.execute(_ANCHORS, {"tenant": tenant_id}):
            if kind == "reset":
                anchored = {number: sealed for number, sealed in anchored.items() if number <= seal}
            if digest is not None:
                anchored[seal] = bytes(digest)
    return anchored


def anchor_head(tenant: TenantRef, *, actor: str) -> int | None:
    """Anchor the head of the chain if it has no anchor.

    Return the number of its last seal; None if there is no seal.
    """
    end = head(tenant)
    if end is None:
        return None
    number, digest = end
    with platform_session() as session:
        last = session.execute(
            text(
                "SELECT seal FROM platform.audit_anchors WHERE tenant_id = :tenant AND seal >= :seal"
                " AND digest = :digest LIMIT 1"
            ),
            {"tenant": tenant.id, "seal": number, "digest": digest},
        ).first()
        if last is None:
            values = {"id": uuid7(), "tenant": tenant.id, "seal": number, "digest": digest, "now": now()}
            session.execute(_INSERT, {**values, "kind": "head", "reason": None, "actor": actor})
    return number


def accept_rollback(tenant: TenantRef, *, actor: str, reason: str) -> int:
    """Accept the present end of the chain after a restore to an earlier point. Nothing calls this automatically.

    Returns:
        The number of anchors that are no longer valid. They remain readable.

    Raises:
        Conflict: a valid anchor is not in the chain, so the restored data are not this tenant's past.
    """
    end = head(tenant)
    number, digest = end or (0, None)
    anchored = standing(tenant.id)
    wrong = contradicted(tenant, {seal: sealed for seal, sealed in anchored.items() if seal <= number})
    if wrong:
        detail = f"seal {wrong[0]} differs from its anchor: this chain is not the tenant's"
        raise Conflict(detail, remedy="restore the tenant's own data")
    with platform_session() as session:
        values = {"id": uuid7(), "tenant": tenant.id, "seal": number, "digest": digest, "now": now()}
        session.execute(_INSERT, {**values, "kind": "reset", "reason": reason, "actor": actor})
    return sum(seal > number for seal in anchored)


def contradicted(tenant: TenantRef, anchored: Mapping[int, bytes]) -> list[int]:
    """The anchored seals that the chain lacks or that differ from it, lowest first."""
    with tenant_session(tenant, actor="system:sealer", readonly=True) as session, session.cursor() as cursor:
        cursor.execute("SELECT number, digest FROM audit_seals WHERE number = ANY(%s)", (list(anchored),))
        chain = {number: bytes(digest) for number, digest in cursor.fetchall()}
    return sorted(seal for seal, digest in anchored.items() if chain.get(seal) != digest)
