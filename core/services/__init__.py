"""The servers under the house: given by address, else a private PostgreSQL and Valkey started from wheels.

``ensure()`` gives the addresses, and starts what does not run.
"""

from core.services.endpoints import Endpoints
from core.services.manager import ensure, reset, stop

__all__ = ["Endpoints", "ensure", "reset", "stop"]
