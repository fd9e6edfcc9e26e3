"""Authorization: permissions in the signatures of routes, and the tenant's transaction that a request gets."""

from core.access.extras import entitled
from core.access.require import Caller, caller, no_key, own_sessions, require, require_any, require_operator, signed_in
from core.access.scope import AccountScope, AnyScope, OperatorScope, PrincipalScope, Scope, TenantDb, TenantScope

__all__ = [
    "AccountScope",
    "AnyScope",
    "Caller",
    "OperatorScope",
    "PrincipalScope",
    "Scope",
    "TenantDb",
    "TenantScope",
    "caller",
    "entitled",
    "no_key",
    "own_sessions",
    "require",
    "require_any",
    "require_operator",
    "signed_in",
]
