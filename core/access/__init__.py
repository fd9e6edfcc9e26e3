"""May it: permissions in the signatures of routes, and the tenant's transaction that a request gets."""

from core.access.require import Caller, caller, require
from core.access.scope import Scope, TenantDb, TenantScope

__all__ = ["Caller", "Scope", "TenantDb", "TenantScope", "caller", "require"]
