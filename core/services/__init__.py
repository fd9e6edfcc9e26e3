"""The servers under the house: given by address, else a private PostgreSQL and Valkey started from wheels.

``ensure()`` gives the addresses, and starts what does not run.
"""

from core.services.endpoints import DatabaseLogins, Endpoints
from core.services.manager import database_names, ensure, reset, stop

__all__ = ["DatabaseLogins", "Endpoints", "database_names", "ensure", "reset", "stop"]
