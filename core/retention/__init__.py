"""Deletion of old rows: each room registers its kinds of rows, and a tenant sets how long to retain them."""

from core.retention.service import Let, run, run_due

__all__ = ["Let", "run", "run_due"]
