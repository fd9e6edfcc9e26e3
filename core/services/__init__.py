"""The servers of the platform: external ones by address, or else an embedded PostgreSQL and Valkey from wheels.

``ensure()`` returns the addresses, and starts the embedded servers that do not run.
"""

from core.services.endpoints import DatabaseLogins, Endpoints
from core.services.manager import database_names, ensure, reset, stop

__all__ = ["DatabaseLogins", "Endpoints", "database_names", "ensure", "reset", "stop"]
