"""Identity: principals who send requests, and the credentials that identify them."""

from core.identity.permissions import all_permissions, declared_permissions, permission_words
from core.identity.principal import CredentialOwner, Principal

__all__ = ["CredentialOwner", "Principal", "all_permissions", "declared_permissions", "permission_words"]
