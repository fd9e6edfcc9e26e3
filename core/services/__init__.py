"""The platform's servers: external ones by address, otherwise an embedded PostgreSQL and Valkey from wheels.

``ensure()`` returns the addresses, and starts the embedded servers that do not run.
"""

from core.services.endpoints import DatabaseLogins, Endpoints
from core.services.manager import database_names, ensure, reset, stop

__all__ = ["DatabaseLogins", "Endpoints", "database_names", "ensure", "reset", "stop"]
