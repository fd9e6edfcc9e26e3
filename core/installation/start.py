"""What ``iit serve`` and ``iit worker`` compare before they begin."""

from __future__ import annotations

from core.installation.master_key import check_master_key


def check_start() -> None:
    """Refuse to begin with another master key or another store of files than the installation's.

    Raises:
        MasterKeyWrong: the key is another one.
        BlobStoreForeign: the store is another one.
        Unavailable: the database cannot be reached, or has not been migrated.
    """
    from core import blobs

    check_master_key()
    blobs.require_shared_store()
