"""The audit: who did what, every read of a patient included.

``audit.record`` and ``audit.record_many`` insert in the transaction of the act, ``audit.told``
in the very statement that reads. Actions are ``source:subject:action``
and declared in the room's ``feature.py``.
"""

from core.audit.service import declared_actions, record, record_many, told

__all__ = ["declared_actions", "record", "record_many", "told"]
