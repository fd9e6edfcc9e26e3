"""Checks that all processes of one installation share the master key and the store of files."""

from core.installation.blob_store import BlobStoreForeign, adopt_blob_store
from core.installation.master_key import check_master_key

__all__ = ["BlobStoreForeign", "adopt_blob_store", "check_master_key"]
