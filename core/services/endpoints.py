"""Addresses of the database and Redis, embedded or external."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.errors import Unavailable


@dataclass(frozen=True, slots=True)
class DatabaseLogins:
    """The two logins to a further data database; ``owner_url`` is None where this process lacks it."""

    url: str = field(repr=False)
    owner_url: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses with their passwords. ``repr`` therefore shows none of them.

    Attributes:
        database_url: the application's login (role ``iit_app`` on the embedded server), in libpq's form.
        redis_url: Redis or Valkey.
        owner_url: the owner's login; None where this process lacks it.
        databases: the data databases beside the first, by name.
        replica_url: the application's login to a replica of the first database; None if there is none.
    """

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    owner_url: str | None = field(repr=False)
    databases: Mapping[str, DatabaseLogins] = field(default_factory=dict, repr=False)
    replica_url: str | None = field(default=None, repr=False)

    @property
    def database_owner_url(self) -> str:
        """The owner's login, for migrations and provisioning.

        Raises:
            Unavailable: an external database is configured without it.
        """
        if self.owner_url is None:
            detail = "DATABASE_URL is set and DATABASE_OWNER_URL is not, so this process cannot act as the owner"
            raise Unavailable(detail, remedy="set DATABASE_OWNER_URL for migrations and for creating tenants")
        return self.owner_url
