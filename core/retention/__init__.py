"""What is let go when it is old: each room registers what it keeps for a time, a tenant says for how long."""

from core.retention.service import Let, run, run_due

__all__ = ["Let", "run", "run_due"]
