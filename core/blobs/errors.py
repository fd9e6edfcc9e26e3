"""Errors of stored files, other than ``NotFound``."""

from __future__ import annotations

from core.errors import AppError


class BlobDamaged(AppError):  # noqa: N818 - named as the family is
    """The stored bytes differ from those that the platform wrote: altered, cut short, or another tenant's."""

    slug = "blob-damaged"
    title = "A stored file cannot be read"
    hint = "Restore the file from a backup; if it was uploaded, upload it again."
