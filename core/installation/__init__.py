"""What every process of one installation must share: the master key, and the place of the stored files."""

from core.installation.blob_store import BlobStoreForeign, adopt_blob_store
from core.installation.master_key import check_master_key

__all__ = ["BlobStoreForeign", "adopt_blob_store", "check_master_key"]
