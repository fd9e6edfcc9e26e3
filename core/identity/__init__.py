"""Identity: principals who send requests, and the credentials that identify them."""

from core.identity.permissions import all_permissions, declared_permissions
from core.identity.principal import Identified, Principal

__all__ = ["Identified", "Principal", "all_permissions", "declared_permissions"]
