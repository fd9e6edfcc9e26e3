"""Each write takes effect once: the answer to a request with an Idempotency-Key is stored with its effect.

``README.md`` in this folder says how a route declares it; docs/explanation/idempotency.md what callers may rely on.
"""

from core.idempotency.homes import CONTROL_DATABASE, IN_STEPS, REPEATABLE, ROLES, Home

__all__ = ["CONTROL_DATABASE", "IN_STEPS", "REPEATABLE", "ROLES", "Home"]
