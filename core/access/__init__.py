"""Authorization: permissions in the signatures of routes, and the tenant's transaction that a request gets."""

from core.access.require import Caller, caller, no_key, require, require_any, require_operator, signed_in
from core.access.scope import AnyScope, OperatorScope, PrincipalScope, Scope, TenantDb, TenantScope

__all__ = [
    "AnyScope",
    "Caller",
    "OperatorScope",
    "PrincipalScope",
    "Scope",
    "TenantDb",
    "TenantScope",
    "caller",
    "no_key",
    "require",
    "require_any",
    "require_operator",
    "signed_in",
]
