"""Personal data at rest: encrypted columns, blind indexes, and the keys of patients, tenants and the master.

``README.md`` in this folder says what is stored and what an erasure does.
"""

from core.privacy.blind_index import BlindIndexes
from core.privacy.tenant_keys import create_tenant_keys, derived_key, rewrap_tenant_keys
from core.privacy.vault import Vault, vault, vault_from_memory

__all__ = [
    "BlindIndexes",
    "Vault",
    "create_tenant_keys",
    "derived_key",
    "rewrap_tenant_keys",
    "vault",
    "vault_from_memory",
]
