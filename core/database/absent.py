"""Errors when data are unavailable for a while: a database, its tables, or a tenant that is being moved."""

from core.errors import Unavailable


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or the connection broke. The request is not at fault."""


class DatabaseNotMigrated(Unavailable):
    """A database lacks tables that this version of the code needs."""

    hint = "Ask the operator of this installation to migrate its databases to this version."


class TenantMoving(Unavailable):
    """The tenant is being moved or restored, and cannot be written for a moment; retry soon."""


class TenantUpgrading(Unavailable):
    """The tenant's schema is behind the code and lacks a table or column.

    Other data and other tenants remain available.
    """
