"""Errors for what is unavailable for a while: a database, its tables, a tenant that moves."""

from core.errors import Unavailable


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or the connection broke: not the fault of the request."""


class DatabaseNotMigrated(Unavailable):
    """A database lacks tables that this version of the code needs."""

    hint = "Ask the operator of this installation to migrate its databases to this version."


class TenantMoving(Unavailable):
    """The tenant is being moved or restored, and cannot be written for a moment; retry soon."""


class TenantUpgrading(Unavailable):
    """The tenant's schema is behind the code and lacks what was asked for; the rest of it, and other tenants, work."""
