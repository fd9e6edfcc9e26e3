"""The type of functions that open a transaction of one tenant."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from core.database.sessions import TenantSession

SessionOpener = Callable[[], AbstractContextManager[TenantSession]]
"""Opens a transaction of an already chosen tenant, for work in steps that are transactions of their own."""
