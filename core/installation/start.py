"""What ``iit serve`` and ``iit worker`` compare before they begin."""

from __future__ import annotations

from core.installation.environment import check_environment
from core.installation.master_key import check_master_key


def check_start() -> None:
    """Refuse to begin with another master key or store of files than the installation's, or unsafe in production.

    Raises:
        Invalid: the environment is production, and settings are not safe there.
        MasterKeyWrong: the key is another one.
        BlobStoreForeign: the store is another one.
        Unavailable: the database cannot be reached, or has not been migrated.
    """
    from core import blobs

    check_environment()
    check_master_key()
    blobs.require_shared_store()
