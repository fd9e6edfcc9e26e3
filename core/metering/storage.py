"""Measures a tenant's storage one time a day: its schema and its stored files."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from core import blobs
from core.clock import today
from core.database import node_session, tenant_session
from core.metering.service import record, recorded

if TYPE_CHECKING:
    from core.database import TenantRef

METER: Final = "storage_bytes"
GB_DAYS: Final = "storage_gb_days"
BYTES_OF_GB: Final = 10**9
DATABASE: Final = "database_bytes"
FILES: Final = "blob_bytes"
ACTOR: Final = "system:metering"
_SCHEMA_BYTES: Final = text(
    "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
    " WHERE relnamespace = to_regnamespace(:schema) AND relkind IN ('r', 'm')"
)


def measure(tenant: TenantRef) -> int | None:
    """Record the bytes of the tenant's tables, indexes and stored files, and return them.

    Returns None if today's bytes are recorded already.

    Raises:
        AppError: the tenant's database, or the store of files, cannot be reached.
    """
    key = today(tenant.time_zone).isoformat()
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        if recorded(session, METER, key):
            return None
    with node_session(
        tenant.database
    ) as shared:  # a tenant's role may not read sizes: it could read those of other tenants
        tables = int(shared.execute(_SCHEMA_BYTES, {"schema": tenant.schema_name}).scalar_one())
    # The store may be slow: no transaction is open meanwhile.
    files = blobs.stored_bytes(tenant)
    with tenant_session(tenant, actor=ACTOR) as session:
        record(session, DATABASE, tables, key=key, first_counts=True)
        record(session, FILES, files, key=key, first_counts=True)
        size = tables + files
        record(session, GB_DAYS, Decimal(size) / BYTES_OF_GB, key=key, first_counts=True)
        return size if record(session, METER, size, key=key, first_counts=True) else None
