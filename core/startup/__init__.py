"""Checks of ``iit serve`` and ``iit worker`` before they begin."""

from __future__ import annotations

from core import blobs
from core.installation import check_master_key
from core.installation.environment import check_environment


def check_start() -> None:
    """Prevent a start with the wrong master key, the wrong store of files, or settings unsafe in production.

    Raises:
        Invalid: the environment is production, and settings are not safe there.
        MasterKeyWrong: the key is another one.
        BlobStoreForeign: the store is another one.
        Unavailable: the database cannot be reached, or has not been migrated.
    """
    check_environment()
    check_master_key()
    blobs.require_shared_store()
