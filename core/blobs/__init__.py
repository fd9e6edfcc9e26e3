"""Files outside the database: uploads, model artifacts, exports. Keyed by tenant, encrypted, expiring.

They are in a folder under the state directory by default, or in any place that fsspec can write to (``IIT_BLOB_URL``).
See ``README.md``.
"""

from core.blobs.errors import BlobDamaged
from core.blobs.store import (
    BlobRef,
    PurgeResult,
    delete,
    delete_tenant,
    exists,
    get,
    is_key,
    local_folder,
    open,  # noqa: A004 - blobs.open, as files are opened
    permanent_keys,
    purge,
    put,
    put_back,
    read_mark,
    require_shared_store,
    stored_bytes,
    verify_store,
)

__all__ = [
    "BlobDamaged",
    "BlobRef",
    "PurgeResult",
    "delete",
    "delete_tenant",
    "exists",
    "get",
    "is_key",
    "local_folder",
    "open",
    "permanent_keys",
    "purge",
    "put",
    "put_back",
    "read_mark",
    "require_shared_store",
    "stored_bytes",
    "verify_store",
]
