"""What is let go when it is old: each room registers what it keeps for a time, a tenant says for how long."""

from core.retention.service import Let, run, run_due
from core.retention.settings import Retention

__all__ = ["Let", "Retention", "run", "run_due"]
