"""The settings of connections to the database, and of migrations."""

from pydantic import Field
from pydantic_settings import BaseSettings


class PoolSettings(BaseSettings):
    """How many connections a process keeps, and how it migrates tenants."""

    database_pool_size: int = Field(
        default=10, ge=1, description="Connections to the database that one process keeps open."
    )
    database_pool_overflow: int = Field(
        default=10, ge=0, description="Further connections that one process opens while all of those are in use."
    )
    database_pool_timeout: float = Field(
        default=10.0, gt=0, description="Seconds that a transaction waits for a connection before it is rejected."
    )
    database_connection_lifetime: int = Field(
        default=1800,
        ge=1,
        description="Seconds after which a connection is replaced, because a backend's memory grows with every tenant.",
    )
    database_connection_tenants: int = Field(
        default=150,
        ge=1,
        description="Tenants that one connection serves before it is replaced, because a backend remembers their"
        " tables.",
    )
    migrate_connections: int = Field(
        default=4, ge=1, le=64, description="Tenants of one data database that `iit migrate` upgrades at a time."
    )
    migrate_lock_timeout: float = Field(
        default=2.0,
        gt=0,
        description="Seconds that a migration waits for a table in use. Then it postpones the tenant.",
    )
    migrate_attempts: int = Field(
        default=5,
        ge=1,
        description="Attempts for a tenant whose tables stay in use. After them, the tenant waits for the next run.",
    )
    migrate_canaries: str = Field(
        default="",
        description="Slugs of tenants, separated by blanks, that are migrated first. If one of them fails, no other"
        " tenant is migrated.",
    )
