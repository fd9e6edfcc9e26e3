"""The audit: who did what, every read of a patient included.

``audit.record`` and ``audit.record_many`` insert in the transaction of the act. Actions are ``source:subject:action``
and declared in the room's ``feature.py``.
"""

from core.audit.service import declared_actions, record, record_many

__all__ = ["declared_actions", "record", "record_many"]
