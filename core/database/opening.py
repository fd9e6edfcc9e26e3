"""The type of functions that open a transaction of one tenant."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from core.database.sessions import TenantSession

SessionOpener = Callable[[], AbstractContextManager[TenantSession]]
"""Function that opens a transaction of one tenant. Work in several transactions calls it once for each of them."""
