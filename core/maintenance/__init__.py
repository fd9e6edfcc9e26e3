"""A notice of maintenance, on every page and in every answer of the API."""

from core.maintenance.memory import current_notice, notice_followed
from core.maintenance.models import Notice

__all__ = ["Notice", "current_notice", "notice_followed"]
