"""Table of what changed, by cache, in each tenant's schema."""

from typing import ClassVar

from sqlalchemy import BigInteger, Text
from sqlmodel import Field

from core.database import TenantBase


class CacheChange(TenantBase, table=True):
    """A mark of changes that made the stored answers of a cache old; see ``core.cache.generations``.

    Attributes:
        cache: name of the cache.
        mark: a random number below 2^62, or a sum of such numbers, modulo 2^62.
    """

    __tablename__: ClassVar[str] = "cache_changes"
    __table_args__ = ({"info": {"archive": "they concern answers in Redis, which no archive has"}},)

    cache: str = Field(primary_key=True, sa_type=Text)
    mark: int = Field(primary_key=True, sa_type=BigInteger)
