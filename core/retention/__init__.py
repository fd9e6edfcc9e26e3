"""Deletion of old rows: each room registers what it retains for a time, a tenant sets for how long."""

from core.retention.service import Let, run, run_due

__all__ = ["Let", "run", "run_due"]
