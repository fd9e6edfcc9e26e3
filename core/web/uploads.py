"""The limit of uploads: a route that takes files says ``max_body_size=upload_limit()``; others have the common one."""

from __future__ import annotations

from core.settings import get_settings


def upload_limit() -> int:
    """Largest upload, in bytes."""
    return get_settings().upload_max_bytes
