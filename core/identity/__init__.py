"""Who sends a request: principals, and the API keys that make them."""

from core.identity.permissions import all_permissions, declared_permissions
from core.identity.principal import Principal

__all__ = ["Principal", "all_permissions", "declared_permissions"]
