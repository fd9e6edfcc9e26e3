"""Deletion of old rows: each room registers its kinds of rows, and a tenant sets how long to retain them."""

from core.retention.service import RetentionResult, run, run_due

__all__ = ["RetentionResult", "run", "run_due"]
