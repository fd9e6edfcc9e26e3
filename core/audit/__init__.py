"""The audit: records every act with its actor, including every read of a patient.

``audit.record`` and ``audit.record_many`` insert in the transaction of the act, ``audit.audited_query`` in the very
statement that reads. Actions are ``source:subject:action``, declared in the room's ``feature.py``.
"""

from core.audit.service import audited_query, declared_actions, record, record_many

__all__ = [
    "audited_query",
    "declared_actions",
    "record",
    "record_many",
]
