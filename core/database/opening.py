"""The type of functions that open a transaction of one tenant."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from core.database.sessions import TenantSession

SessionOpener = Callable[[], AbstractContextManager[TenantSession]]
"""Opens a transaction of a tenant that is already chosen: for work in steps, each a transaction of its own."""
