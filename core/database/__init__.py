"""The only package that opens connections to PostgreSQL.

``tenant_session`` gives access to a tenant's rows, and ``at_once`` where a whole transaction fits in one round trip.
Each is one transaction in that tenant's own role and schema.
"""

from core.database.absent import DatabaseNotMigrated, DatabaseUnavailable, TenantMoving, TenantUpgrading
from core.database.bases import NodeBase, PlatformBase, TenantBase
from core.database.committed import after_commit
from core.database.engines import DEFAULT_DATABASE, DatabaseUnknown, databases, dispose, owner_engine
from core.database.library_sessions import library_session
from core.database.locks import lock_installation, lock_own, try_lock_installation, try_lock_own
from core.database.opening import SessionOpener
from core.database.pools import PoolState, pool_states
from core.database.reach import WHOLE_TENANT, Reach
from core.database.replica import read_on_replica
from core.database.round_trip import RoundTripError, at_once, node_at_once
from core.database.scope import TenantRef, TenantRequired
from core.database.sessions import (
    TenantSession,
    look_up,
    node_session,
    owner_connection,
    owner_session,
    platform_session,
    psycopg_connection,
    require_migrated,
    tenant_session,
)
from core.database.statements import execute_prepared, set_local
from core.database.transactions import TransactionOpenError, require_none

__all__ = [
    "DEFAULT_DATABASE",
    "WHOLE_TENANT",
    "DatabaseNotMigrated",
    "DatabaseUnavailable",
    "DatabaseUnknown",
    "NodeBase",
    "PlatformBase",
    "PoolState",
    "Reach",
    "RoundTripError",
    "SessionOpener",
    "TenantBase",
    "TenantMoving",
    "TenantRef",
    "TenantRequired",
    "TenantSession",
    "TenantUpgrading",
    "TransactionOpenError",
    "after_commit",
    "at_once",
    "databases",
    "dispose",
    "execute_prepared",
    "library_session",
    "lock_installation",
    "lock_own",
    "look_up",
    "node_at_once",
    "node_session",
    "owner_connection",
    "owner_engine",
    "owner_session",
    "platform_session",
    "pool_states",
    "psycopg_connection",
    "read_on_replica",
    "require_migrated",
    "require_none",
    "set_local",
    "tenant_session",
    "try_lock_installation",
    "try_lock_own",
]
