"""How much room a tenant takes: its schema and its stored files, measured once a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from core import blobs
from core.clock import today
from core.database import node_session, tenant_session
from core.metering.service import record, recorded

if TYPE_CHECKING:
    from core.database import TenantRef

METER: Final = "storage_bytes"
ACTOR: Final = "system:metering"
_SCHEMA_BYTES: Final = text(
    "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
    " WHERE relnamespace = to_regnamespace(:schema) AND relkind IN ('r', 'm')"
)


def measure(tenant: TenantRef) -> int | None:
    """Record what the tenant's tables, indexes and stored files take today; None where today was recorded already.

    Raises:
        AppError: the tenant's database, or the store of files, cannot be reached.
    """
    key = today(tenant.time_zone).isoformat()
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        if recorded(session, METER, key):
            return None
    with node_session(tenant.database) as shared:  # a tenant's role may not ask for sizes: it could ask for others'
        tables = int(shared.execute(_SCHEMA_BYTES, {"schema": tenant.schema_name}).scalar_one())
    # The store may be far: it is asked with no transaction open.
    size = tables + blobs.stored_bytes(tenant)
    with tenant_session(tenant, actor=ACTOR) as session:
        return size if record(session, METER, size, key=key) else None
